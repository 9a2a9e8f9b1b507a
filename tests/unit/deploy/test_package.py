"""What is installed: every file that the services read is in it, and they start from it."""

from __future__ import annotations

import configparser
import os
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
_CONFIGURED = configparser.ConfigParser()
_CONFIGURED.read(ROOT / "setup.cfg", encoding="utf-8")
PACKAGES = _CONFIGURED["options.packages.find"]["include"].replace("*", "").split()
PATTERNS = [each.strip() for each in _CONFIGURED["options.package_data"]["*"].split(",")]
LEFT_OUT = (".py", ".pyc")
USED = """
import common, sys
assert common.__file__.startswith(sys.argv[1]), common.__file__
from auditing.store.schema import newest
from common.access.policy import load_access_policy
assert newest() and load_access_policy("")
"""


def data_files() -> Iterator[Path]:
    """Files of the packages that are no Python."""
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*"):
            if file.is_file() and file.suffix not in LEFT_OUT:
                yield file.relative_to(ROOT)


def test_every_file_of_a_package_is_named_in_what_is_installed() -> None:
    found = [*data_files()]
    assert {file.name for file in found} >= {"nhs.toml", "roles.csv", "ffdhe3072.pem", "script.py.mako"}
    assert [str(file) for file in found if not any(fnmatch(file.name, each) for each in PATTERNS)] == []
    assert [str(file) for file in found if not (ROOT / file.parent / "__init__.py").exists()] == []


def test_services_start_from_what_is_built(tmp_path: Path) -> None:
    for name in (*PACKAGES, "setup.cfg", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE"):
        (tmp_path / name).symlink_to(ROOT / name)
    library = tmp_path / "library"
    build = ["-c", "import setuptools; setuptools.setup()", "-q", "build_py", "--build-lib", str(library)]
    environment = {**os.environ, "PYTHONPATH": str(library), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([sys.executable, "-W", "ignore", *build], cwd=tmp_path, check=True, capture_output=True)

    missing = [str(file) for file in data_files() if not (library / file).is_file()]
    used = subprocess.run(
        [sys.executable, "-c", USED, str(library)], cwd=library, env=environment, capture_output=True, text=True
    )
    asked = [sys.executable, "-m", "console", "serve", "audit", "--help"]
    told = subprocess.run(asked, cwd=library, env=environment, capture_output=True, text=True)

    assert missing == []
    assert used.returncode == 0, used.stderr
    assert "identity or audit" in " ".join(told.stdout.split())
