"""What access decisions cost: ``python -m bench.access``.

Two pairs of services on one PostgreSQL and one folder, both with mutual TLS and assertions, one of which decides who
may see what, are asked in turns over eight connections that are kept alive. What is told are ratios in one run.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import click

from bench import messages
from bench.driver import _run, cpu_seconds
from bench.messages import Request
from bench.security import Side
from common.db import Database, open_database
from common.tls import Files, Role
from common.tls.contexts import made
from common.xua import Coded
from console import development_ca
from registry.store.schema import upgrade
from tests.access_cases import CLINICIAN, PRACTICE, TREATMENT
from tests.access_kit import a_county, an_agreement, keep
from tests.factories import REPOSITORY_ID, a_patient_id
from tests.running import Pair
from tests.secure import a_pki, a_secure_pair
from tests.servers.postgres import new_database, start_postgres
from tests.xua import Sts, security

BAR = 0.15
"""Most of an ITI-18 with 100 documents that the decision may cost."""


@dataclass(frozen=True, slots=True)
class Two:
    """A pair without decisions and one with them, as each service is asked."""

    pairs: tuple[Pair, Pair]
    registries: tuple[Side, Side]
    repositories: tuple[Side, Side]


def two_pairs(folder: Path, database: str) -> Two:
    """Not started yet."""
    pki, sts = a_pki(folder / "pki"), Sts(folder / "sts")
    systems = folder / "systems"
    fingerprint = development_ca.fingerprint((pki.folder / "node.pem").read_bytes())
    systems.write_text(f"sha256:{fingerprint}\n")
    common = {
        "DATABASE": database, "STORAGE": str(folder / "documents"), "LOG_LEVEL": "warning", "XUA": "required",
        "XUA_ISSUERS": str(sts.file), "XUA_SYSTEMS": str(systems), "XUA_AUDIENCES": "https://bench.example",
    }  # fmt: skip
    pairs = tuple(
        a_secure_pair(folder / name, pki, common | more) for name, more in (("off", {}), ("on", {"ACCESS": "on"}))
    )
    code, _, system = CLINICIAN.partition("^")
    purpose, _, scheme = TREATMENT.partition("^")
    header = security(
        sts.sign(
            audiences=("https://bench.example",), organisation_id=PRACTICE, roles=(Coded(code, system),),
            purposes=(Coded(purpose, scheme),), patient_id="",
        )
    )  # fmt: skip
    tls = made(Files(str(pki.folder / "portal.pem"), "", pki.ca), Role.CLIENT)
    names = ("without", "with access")
    sides = [
        tuple(Side(name, getattr(pair, service), tls, header) for name, pair in zip(names, pairs, strict=True))
        for service in ("registry", "repository")
    ]
    opened = open_database(database)
    upgrade(opened)
    _known(opened, fingerprint)
    opened.close()
    return Two(pairs, *sides)  # type: ignore[arg-type]


def _known(database: Database, fingerprint: str) -> None:
    a_county(database)
    an_agreement(database)
    rights = ("search", "submit", "judge", "any-patient", "restricted", "sealed")
    keep(database, "roles", *({"role": "REPOSITORY^2.999.1", "right": right} for right in rights))
    node = {"user": f"sha256:{fingerprint}", "name": "Repository", "kind": "system", "roles": "REPOSITORY^2.999.1"}
    keep(database, "users", node)


def compared(
    what: str, two: Two, sides: tuple[Side, Side], rounds: int, make: Callable[[str], list[Request]]
) -> tuple[float, float]:
    """In turns; prints medians, and gives the ratios of rate and of CPU."""
    rates: list[list[float]] = [[], []]
    spent: list[list[float]] = [[], []]
    for number in range(rounds + 1):
        for at, (side, pair) in enumerate(zip(sides, two.pairs, strict=True)):
            requests = [side.complete(request) for request in make(side.service.url)]
            pids = [each.process.pid for each in (pair.registry, pair.repository) if each.process is not None]
            before, begun = cpu_seconds(pids), time.perf_counter()
            _run(side.service.url, requests, 8, side.tls)
            if number:  # the first warms up
                rates[at].append(len(requests) / (time.perf_counter() - begun))
                spent[at].append((cpu_seconds(pids) - before) / len(requests) * 1000)
    rate, cpu = [list(map(statistics.median, each)) for each in (rates, spent)]
    ratios = rate[1] / rate[0], cpu[1] / max(cpu[0], 1e-9)
    print(
        f"{what:<28}{rate[0]:7.0f} a second without, {rate[1]:7.0f} with access ({ratios[0]:.2f} times); "
        f"CPU {cpu[0]:.2f} ms and {cpu[1]:.2f} ms ({ratios[1]:.2f} times)"
    )
    return ratios


@click.command()
@click.option("--rounds", default=5, show_default=True, help="Turns that are counted.")
@click.option("--requests", default=1500, show_default=True, help="Requests in each turn.")
def main(rounds: int, requests: int) -> None:
    """Measure access decisions; exit code 1 when they cost more than they may."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="portolan-bench-")))
        postgres = start_postgres()
        stack.callback(postgres.stop)
        url = new_database(postgres)
        two = two_pairs(folder, url)
        for pair in two.pairs:
            pair.start()
            stack.callback(pair.stop)
        opened = open_database(url)
        stack.callback(opened.close)
        plain, cost = two.registries[0], 0.0
        for count in (1, 10, 100):
            patients = [a_patient_id() for _ in range(20)]
            related = ({"patient_id": each, "organisation": PRACTICE} for each in patients)
            keep(opened, "relationships", *related)
            filed = [plain.complete(messages.register(plain.service.url, each, count)) for each in patients]
            _run(plain.service.url, filed, 8, plain.tls)

            def finds(url: str, patients: list[str] = patients) -> list[Request]:
                return [messages.find(url, patients[number % len(patients)]) for number in range(requests)]

            _, cpu = compared(f"FindDocuments, {count} documents", two, two.registries, rounds, finds)
            cost = cpu - 1
        contents = [messages.document(10 * 1024) for _ in range(20)]
        source = two.repositories[0]
        provided, owners = messages.provided(source.service.url, contents)
        _run(source.service.url, [source.complete(each) for each in provided], 8, source.tls)
        keep(opened, "relationships", *({"patient_id": each, "organisation": PRACTICE} for each in owners))

        def gets(url: str) -> list[Request]:
            return [
                messages.retrieve(url, contents[number % len(contents)].unique_id, REPOSITORY_ID)
                for number in range(requests)
            ]

        compared("ITI-43, 10 KiB", two, two.repositories, rounds, gets)
        met = cost <= BAR
        print(f"100 documents cost {cost:+.0%} of a request's CPU; at most {BAR:.0%}: {'met' if met else 'NOT MET'}")
    raise SystemExit(0 if met else 1)


if __name__ == "__main__":
    main()
