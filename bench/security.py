"""What mutual TLS and user assertions cost: ``python -m bench.security``.

Three Registries on one PostgreSQL, one plain, one with mutual TLS, one with assertions as well, are asked in turns over
eight connections that are kept alive. The client's share is in the rates, as is its TLS.
"""

from __future__ import annotations

import ssl
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import click
from lxml import etree

from bench import messages
from bench.driver import _run, cpu_seconds
from bench.messages import Request
from common.soap.envelope import own_blocks
from common.tls import Files, Role
from common.tls.contexts import made
from common.xua import SECURITY, Policy, Verifier
from console import development_ca
from tests.factories import a_patient_id
from tests.running import Running, a_pair
from tests.servers.postgres import new_database, start_postgres
from tests.servers.process import free_port
from tests.xua import DOCTOR, Sts, a_message, security


@dataclass(frozen=True, slots=True)
class Side:
    """One of the Registries."""

    name: str
    service: Running
    tls: ssl.SSLContext | None
    header: bytes

    def complete(self, request: Request) -> Request:
        """With the header that this one wants."""
        if not self.header:
            return request
        head, _, body = request.pieces[0].partition(b"\r\n\r\n")
        body = body.replace(b"</s:Header>", self.header + b"</s:Header>", 1)
        fields = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"content-length")]
        head = b"\r\n".join([*fields, b"Content-Length: %d" % len(body)])
        return Request((head + b"\r\n\r\n" + body,), request.expect)


def sides(folder: Path, database: str) -> list[Side]:
    """The Registries, not started yet."""
    authority = development_ca.create(folder / "pki", 2)
    for name in ("node", "client"):
        development_ca.write_secret(folder / "pki" / f"{name}.pem", authority.issue(name, ("127.0.0.1",), 2).pem)
    sts = Sts(folder / "sts")
    tls = {"TLS_CERTIFICATE": str(folder / "pki" / "node.pem"), "TLS_TRUST": str(folder / "pki" / "ca.pem")}
    xua = {"XUA": "required", "XUA_ISSUERS": str(sts.file), "XUA_AUDIENCES": DOCTOR.audiences[0]}
    client = made(Files(str(folder / "pki" / "client.pem"), "", tls["TLS_TRUST"]), Role.CLIENT)
    found = []
    for name, settings in (("plain", {}), ("mutual TLS", tls), ("and XUA", {**tls, **xua})):
        probe = {"REGISTRY_PROBE_BIND": f"127.0.0.1:{free_port()}"} if settings else {}
        common = {"DATABASE": database, "LOG_LEVEL": "warning", "REGISTRY_WORKERS": "2"}
        pair = a_pair(folder / name.replace(" ", "-"), {**common, **settings, **probe})
        header = security(sts.sign()) if "XUA" in settings else b""
        found.append(Side(name, pair.registry, client if settings else None, header))
    return found


def compared(what: str, all_sides: Sequence[Side], rounds: int, make: Callable[[str], list[Request]]) -> None:
    """In turns; prints medians of rates and of the service's CPU, and ratios to the first."""
    rates: dict[str, list[float]] = {side.name: [] for side in all_sides}
    spent: dict[str, list[float]] = {side.name: [] for side in all_sides}
    for number in range(rounds + 1):
        for side in all_sides:
            requests = [side.complete(request) for request in make(side.service.url)]
            assert side.service.process is not None
            before, begun = cpu_seconds([side.service.process.pid]), time.perf_counter()
            _run(side.service.url, requests, 8, side.tls)
            if number:  # the first warms up
                rates[side.name].append(len(requests) / (time.perf_counter() - begun))
                spent[side.name].append((cpu_seconds([side.service.process.pid]) - before) / len(requests) * 1000)
    first = statistics.median(rates[all_sides[0].name])
    for side in all_sides:
        rate, cpu = statistics.median(rates[side.name]), statistics.median(spent[side.name])
        told = f"{rate:8.0f} a second, {rate / first:.2f} times; {cpu:.2f} ms of the service's CPU"
        print(f"{what:<28}{side.name:<12}{told}")


def verification() -> tuple[float, float]:
    """Milliseconds to verify an assertion that is new, and one that came before."""
    with tempfile.TemporaryDirectory() as folder:
        sts = Sts(Path(folder) / "sts")
        policy = Policy(sts.issuers, frozenset(DOCTOR.audiences))
        verifier, new, known = Verifier(policy), list[float](), list[float]()
        for _ in range(200):
            root, _ = a_message(sts.sign(), body=b"<q/>")
            root = etree.fromstring(etree.tostring(root))
            [block] = [each for each in own_blocks(root[0]) if each.tag == SECURITY]
            for times in (new, known):
                begun = time.perf_counter()
                verifier.verify(root, block, time.time())
                times.append((time.perf_counter() - begun) * 1000)
    return statistics.median(new), statistics.median(known)


@click.command()
@click.option("--rounds", default=5, show_default=True, help="Turns that are counted.")
@click.option("--requests", default=2000, show_default=True, help="Queries in each turn.")
def main(rounds: int, requests: int) -> None:
    """Measure TLS and assertions against a plain service."""
    new, known = verification()
    print(f"verification of an assertion: {new:.2f} ms when it is new, {known:.2f} ms when it came before")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="portolan-bench-")))
        postgres = start_postgres()
        stack.callback(postgres.stop)
        all_sides = sides(folder, new_database(postgres))
        for side in all_sides:
            side.service.start()
            stack.callback(side.service.stop)
        patients = [a_patient_id() for _ in range(50)]
        plain = all_sides[0].service.url
        _run(plain, [messages.register(plain, patient, 10) for patient in patients], 8)
        compared(
            "FindDocuments, 10 documents",
            all_sides,
            rounds,
            lambda url: [messages.find(url, patients[number % len(patients)]) for number in range(requests)],
        )
        compared(
            "ITI-42, one document",
            all_sides,
            rounds,
            lambda url: [messages.register(url, a_patient_id()) for _ in range(requests // 4)],
        )


if __name__ == "__main__":
    main()
