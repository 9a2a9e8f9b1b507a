"""The files that a deployment is made of: compose refuses to start without secrets, and nginx accepts its file."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.system
ROOT = Path(__file__).resolve().parents[2]
NEEDED = re.findall(r"\$\{(\w+):\?", (ROOT / "compose.yaml").read_text(encoding="utf-8"))


def compose(**environment: str) -> subprocess.CompletedProcess[str]:
    """What docker compose makes of the file under these variables alone; skips where there is no docker compose."""
    docker = shutil.which("docker")
    plain = {"PATH": os.environ.get("PATH", ""), "HOME": os.environ.get("HOME", "/")}
    commands = [[docker, "compose"]] if docker else []
    commands += [[old] for old in [shutil.which("docker-compose")] if old]
    for command in commands:
        if subprocess.run([*command, "version"], capture_output=True, env=plain).returncode == 0:
            arguments = ["--file", str(ROOT / "compose.yaml"), "config"]
            return subprocess.run([*command, *arguments], env={**plain, **environment}, capture_output=True, text=True)
    pytest.skip("docker compose is not installed")


def filled_in(folder: Path) -> dict[str, str]:
    """A value for each variable that must be set."""
    pem = folder / "some.pem"
    pem.write_text("")
    return {name: str(pem) if name.startswith("TLS_") else "2.999.1" for name in NEEDED}


def test_the_example_names_every_variable_that_must_be_set() -> None:
    example = (ROOT / "deploy" / "example.env").read_text(encoding="utf-8")
    assert re.findall(r"^(\w+)=$", example, re.MULTILINE) == sorted(set(NEEDED), key=example.index)


def test_compose_accepts_the_file_when_all_is_set(tmp_path: Path) -> None:
    done = compose(**filled_in(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "portolan" in done.stdout


@pytest.mark.parametrize("name", sorted(set(NEEDED)))
def test_s14_compose_does_not_start_without(name: str, tmp_path: Path) -> None:
    values = filled_in(tmp_path)
    del values[name]
    done = compose(**values)
    assert done.returncode != 0
    assert name in done.stderr


def test_nginx_accepts_its_file(tmp_path: Path) -> None:
    nginx = shutil.which("nginx")
    openssl = shutil.which("openssl")
    if not nginx or not openssl:
        pytest.skip("nginx or openssl is not installed")
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "1"]
    subprocess.run([openssl, *request, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    text = (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8")
    text = text.replace("/tmp/", f"{tmp_path}/")
    # The services' names and the mounted secrets exist only inside the deployment.
    text = text.replace("registry:8010", "127.0.0.1:8010").replace("repository:8020", "127.0.0.1:8020")
    text = text.replace("/run/secrets/tls_key", str(key)).replace("/run/secrets/tls_certificate", str(certificate))
    text = text.replace("/run/secrets/tls_clients", str(certificate)).replace("ssl_crl /run/secrets/tls_revoked;", "")
    more = (ROOT / "deploy" / "nginx-identity.conf").read_text(encoding="utf-8")
    (tmp_path / "identity.conf").write_text(more.replace("identity:8070", "127.0.0.1:8070"))
    text = text.replace("/etc/nginx/portolan.d/", f"{tmp_path}/")
    config = tmp_path / "nginx-whole"
    config.write_text(text)
    done = subprocess.run([nginx, "-t", "-c", str(config)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
