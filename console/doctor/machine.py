"""Looks at settings against the machine: codes, memory, and what only suits a try-out."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from common.codes import SHIPPED, check
from common.codes.listing import Severity
from common.settings import Settings
from console.doctor.finding import Findings, fail, ok, warn
from console.output import shown_bytes

_PER_TRANSFER: Final = 32 * 1024 * 1024
# A message that has been parsed takes several times the memory of its text.
_PARSED: Final = 6
_EXAMPLE_ARC: Final = "2.999."


def codes(settings: Settings) -> Findings:
    """The file of codes."""
    file = settings.codes_file or SHIPPED
    problems = check(file)
    errors = [problem for problem in problems if problem.severity is Severity.ERROR]
    name = str(settings.codes_file or "the shipped NHS set")
    advice = f"`portolan codes check {file}` lists all; correct them."
    if errors:
        yield fail("codes", f"{name} cannot be used: {errors[0]}", advice)
    elif problems:
        yield warn("codes", f"{name} has {len(problems)} doubtful places, such as {problems[0]}", advice)
    else:
        yield ok("codes", f"{name} can be used")


def memory(settings: Settings) -> Findings:
    """Whether every thread could be busy with the largest message at once."""
    there = _memory()
    if there is None:
        return
    registry = settings.workers("registry") * settings.registry_threads * settings.max_metadata_bytes * _PARSED
    repository = settings.workers("repository") * settings.repository_threads * _PER_TRANSFER
    told = f"at worst {shown_bytes(registry)} for the Registry and {shown_bytes(repository)} for the Repository"
    if registry + repository > there:
        advice = "Lower threads, workers or PORTOLAN_MAX_METADATA_BYTES, or add memory."
        yield warn("memory", f"{told}, of {shown_bytes(there)}", advice)
    else:
        yield ok("memory", f"{told}, of {shown_bytes(there)}")


def _memory() -> int | None:
    """What this machine, or the container around us, gives at most."""
    found = []
    try:
        total = Path("/proc/meminfo").read_text(encoding="ascii").split("MemTotal:")[1].split()[0]
        found.append(int(total) * 1024)
    except (OSError, ValueError, IndexError):
        pass
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            found.append(int(Path(limit).read_text(encoding="ascii")))
        except (OSError, ValueError):
            continue
    return min(found, default=None)


def production(settings: Settings) -> Findings:
    """What suits a try-out only; a server database is taken for a sign that this is none."""
    if not settings.database:
        return
    if settings.repository_uid.startswith(_EXAMPLE_ARC):
        told = f"repository_uid is {settings.repository_uid}, an OID for examples"
        yield warn("settings", told, "Give the Repository an OID of your own with PORTOLAN_REPOSITORY_UID.")
    if settings.patient_test_numbers:
        told = "NHS Numbers of the 999 test range are accepted"
        yield warn("settings", told, "Set PORTOLAN_PATIENT_TEST_NUMBERS=false before real patients come.")
