"""The public conformance tests, where their folder lies beside the project, against services started as ever."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from lxml import etree

from common.access.values import Right
from common.db import open_database
from common.settings import load
from common.xua import Coded
from console import development_ca
from tests.access_kit import keep
from tests.running import Pair, a_pair
from tests.secure import a_pki, a_secure_pair
from tests.servers.process import free_port
from tests.servers.s3 import S3Service
from tests.xua import AUDIENCE, Sts

ROOT = Path(__file__).parents[2]
KIT = ROOT.parent / "shared" / "conformance"

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not KIT.is_dir(), reason="the conformance tests do not lie beside the project"),
]

CONFIG = """\
[endpoints]
register = "{registry}"
query = "{registry}"
multi_patient_query = "{registry}"
update = "{registry}"
restricted_update = "{registry}"
remove_metadata = "{registry}"
register_on_demand = "{registry}"
provide = "{repository}"
retrieve = "{repository}"
remove_documents = "{repository}"

[patients]
template = "{{nhs}}^^^&2.16.840.1.113883.2.1.4.1&ISO"
unknown = "9990000000^^^&2.16.840.1.113883.2.1.4.1&ISO"

[feed]
mllp = "{feed}"
"""

COLLECTIONS = ("core", "mu", "rmu", "rm", "rd", "xadpid", "async")
# Those of the gateways, which are not served.
ELSEWHERE = ("12336", "12337")
VERDICTS = ("PASS", "FAIL", "ERROR", "UNSUPPORTED")


def s3_settings(server: S3Service) -> dict[str, str]:
    """A bucket of its own."""
    return {
        "STORAGE": f"s3://{server.new_bucket()}",
        "S3_ENDPOINT": server.endpoint,
        "S3_ACCESS_KEY": server.access_key,
        "S3_SECRET_KEY": server.secret_key,
    }


SECURE = """
[http]
verify = "{ca}"
cert = "{certificate}"

[saml]
assertions = "{assertions}"
always = true
"""


def a_secure_form(folder: Path, settings: Mapping[str, str]) -> tuple[Pair, str]:
    """Mutual TLS, an assertion with every message, access decided, everything recorded; and what the runner needs."""
    pki, sts = a_pki(folder / "pki"), Sts(folder / "sts")
    node = development_ca.fingerprint((pki.folder / "node.pem").read_bytes())
    (folder / "systems").write_text(f"sha256:{node}\n")
    (folder / "assertions").mkdir()
    assertion = sts.sign(lasts=timedelta(hours=1), roles=(Coded("ALL", "2.999.1"),), patient_id="")
    (folder / "assertions" / "valid.xml").write_bytes(etree.tostring(assertion))
    secure = {
        "XUA": "required",
        "XUA_ISSUERS": str(sts.file),
        "XUA_SYSTEMS": str(folder / "systems"),
        "XUA_AUDIENCES": AUDIENCE,
        "ACCESS": "on",
        "AUDIT": "true",
        "AUDIT_REPOSITORIES": f"127.0.0.1:{free_port()}",
        "AUDIT_PLAIN": "true",
        "MLLP_PLAIN": "true",  # the runner's feeds know no TLS
    }
    pair = a_secure_pair(folder / "data", pki, {**settings, **secure})
    pair.start()
    with closing(open_database(load(pair.registry.environment).database_url)) as database:
        keep(database, "roles", *({"role": "ALL^2.999.1", "right": right} for right in Right))
        keep(database, "users", {"user": f"sha256:{node}", "name": "Repository", "kind": "system",
                                 "roles": "ALL^2.999.1"})  # fmt: skip
    told = SECURE.format(ca=pki.ca, certificate=pki.folder / "portal.pem", assertions=folder / "assertions")
    return pair, told


@pytest.mark.parametrize(
    ("back_end", "form"),
    [("sqlite and folder", ""), ("postgresql and s3", ""), ("postgresql and s3", "secure and asynchronous")],
)
def test_every_case_of_the_collections_passes(
    back_end: str, form: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    settings = {"CODES": str(KIT / "toolkitx" / "environment" / "default" / "codes.xml")}
    if back_end == "postgresql and s3":
        database: Callable[[], str] = request.getfixturevalue("postgres_database")
        settings |= {"DATABASE": database(), **s3_settings(request.getfixturevalue("minio_server"))}
    if form:
        pair, secure = a_secure_form(tmp_path, settings)
    else:
        pair, secure = a_pair(tmp_path / "data", settings), ""
        pair.start()
    config = tmp_path / "server.toml"
    feed = f"127.0.0.1:{pair.mllp}"
    config.write_text(CONFIG.format(registry=pair.registry.url, repository=pair.repository.url, feed=feed) + secure)

    # Every request asynchronously: what is asked at once after a submission shows whether the order was kept.
    more = ["--asynchronous", "--collection", "core"] if form else ["--collection", ",".join(COLLECTIONS)]
    command = [sys.executable, "-m", "nist", "--testkit", str(KIT / "toolkitx" / "testkit"), "--config", str(config)]
    run = subprocess.run(
        [*command, *more, "--log", str(tmp_path / "log")],
        env={**os.environ, "PYTHONPATH": str(KIT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    pair.stop()

    lines = [line.split() for line in run.stdout.splitlines()]
    verdicts = {words[1]: words[0] for words in lines if len(words) > 1 and words[0] in VERDICTS and "/" in words[1]}
    print(run.stdout[-2000:])
    assert run.returncode == 0, run.stderr
    bad = {name: told for name, told in verdicts.items() if told != "PASS" and name.split("/")[0] not in ELSEWHERE}
    assert bad == {}
    assert len(verdicts) > 90
