"""Registry and Repository over mutual TLS, for tests: a partner's certificates, the pair, and commands about it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.running import ROOT, Pair, a_pair
from tests.servers.process import free_ports
from tests.service.test_mutual_tls import Pki
from tests.wire import Services

CODES = (
    "--type-code", "373942005", "--class-code", "823651000000106", "--practice-setting-code", "394802001",
    "--healthcare-facility-type-code", "22232009",
)  # fmt: skip


def a_pki(folder: Path) -> Pki:
    """With a certificate for both services, and one for a portal."""
    made = Pki(folder)
    made.issue("node", "127.0.0.1")
    made.issue("portal")
    return made


def a_secure_pair(data: Path, pki: Pki, settings: Mapping[str, str]) -> Pair:
    """Both services, each of which calls itself and is called by the same certificate; not started yet."""
    registry, repository, one, two = free_ports(4)
    made = a_pair(
        data,
        {
            "REGISTRY_BIND": f"127.0.0.1:{registry}",
            "REGISTRY_URL": f"https://127.0.0.1:{registry}/registry",
            "REGISTRY_PROBE_BIND": f"127.0.0.1:{one}",
            "REPOSITORY_BIND": f"127.0.0.1:{repository}",
            "REPOSITORY_URL": f"https://127.0.0.1:{repository}/repository",
            "REPOSITORY_PROBE_BIND": f"127.0.0.1:{two}",
            "TLS_CERTIFICATE": str(pki.folder / "node.pem"),
            "TLS_TRUST": pki.ca,
            **settings,
        },
    )
    made.registry.port, made.repository.port = registry, repository
    return made


def a_portal(pair: Pair, pki: Pki) -> Services:
    """A partner with a certificate of its own."""
    made = pair.services
    made.session.trust_env = False  # which would take precedence
    made.session.verify, made.session.cert = pki.ca, str(pki.folder / "portal.pem")
    return made


def run(pair: Pair, *arguments: str, code: int = 0, **settings: str) -> str:
    """A `portolan` command; what it prints."""
    environment = pair.registry.environment | {f"PORTOLAN_{name}": value for name, value in settings.items()}
    command = [sys.executable, "-m", "console", *arguments]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr
