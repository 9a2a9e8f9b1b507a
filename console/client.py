"""The Python client with the addresses and times of the settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Final

import click

from common.audit.auditor import Auditor
from common.audit.opening import open_auditor
from common.client import DocumentAdministrator, DocumentConsumer, DocumentSource, PatientIdentity, QueryRefused
from common.codes import SHIPPED, CodesError, CodeSets, load
from common.model import DocumentEntry
from common.observe import spans
from common.settings import Settings
from common.standard.errors import ErrorCode
from common.tls import Renewed, Unusable, of_client
from console.failure import Failure
from console.metadata.entry import DEFAULT_SOURCE, Domain, UnknownPatient
from console.output import spaced_nhs_number
from console.serving.observing import begin_tracing, see_that_it_can

_SEVERAL: Final = ErrorCode.XDSResultNotSinglePatient


def _tls(settings: Settings) -> Renewed | None:
    """What services are called with; Failure when its files cannot be used."""
    try:
        return of_client(settings.tls_files)
    except Unusable as error:
        raise Failure(f"TLS cannot be spoken: {error}.", "`portolan doctor` looks closer.") from error


def _assertion(settings: Settings) -> Callable[[], bytes] | None:
    """What gives the assertion that says who asks; None where no file is named."""
    if not settings.xua_assertion:
        return None

    def read() -> bytes:
        try:
            return Path(settings.xua_assertion).read_bytes()
        except OSError as error:
            raise Failure(f"The assertion {settings.xua_assertion} cannot be read: {error.strerror}.") from error

    return read


def _audit(settings: Settings) -> Auditor | None:
    """What records what is asked, as long as the command runs; what is recorded is sent at its end, or by services."""
    auditor = open_auditor(settings, "command-line", brief=True)
    context = click.get_current_context(silent=True)
    if auditor is not None and context is not None:
        context.call_on_close(auditor.close)
    return auditor


def consumer(settings: Settings) -> DocumentConsumer:
    """Finds in the Registry, and fetches from every repository whose address is known."""
    _traced(settings)
    return DocumentConsumer(
        settings.registry_url,
        settings.repository_addresses,
        connect_timeout=settings.connect_timeout,
        answer_timeout=settings.request_timeout,
        tls=_tls(settings),
        assertion=_assertion(settings),
        audit=_audit(settings),
    )


def source(settings: Settings) -> DocumentSource:
    """Submits to the Repository; what is submitted may name another source."""
    _traced(settings)
    return DocumentSource(
        settings.repository_url,
        source_id=DEFAULT_SOURCE,
        connect_timeout=settings.connect_timeout,
        answer_timeout=settings.request_timeout,
        tls=_tls(settings),
        assertion=_assertion(settings),
        audit=_audit(settings),
    )


def administrator(settings: Settings) -> DocumentAdministrator:
    """Amends and removes, in the Registry and in every repository whose address is known."""
    _traced(settings)
    return DocumentAdministrator(
        settings.registry_url,
        settings.repository_addresses,
        source_id=DEFAULT_SOURCE,
        connect_timeout=settings.connect_timeout,
        answer_timeout=settings.request_timeout,
        tls=_tls(settings),
        assertion=_assertion(settings),
        audit=_audit(settings),
    )


def _traced(settings: Settings) -> None:
    """What the command asks from now on is one trace, where the settings want traces."""
    context = click.get_current_context(silent=True)
    if not settings.trace_endpoint or context is None or spans.are_made():
        return
    see_that_it_can(settings)
    begin_tracing("client", settings)
    context.call_on_close(spans.close)
    context.with_resource(spans.task(f"portolan {context.info_name}"))


def the_entry(client: DocumentConsumer, identifier: str) -> DocumentEntry:
    """The latest version of one document, by uniqueId or entryUUID; Failure when there is none, or several."""
    if identifier.startswith("urn:uuid:"):
        found = client.get(entry_uuids=[identifier])
    else:
        found = entries_of(client, identifier)
    if not found:
        raise Failure(f"There is no document {identifier}.", "`portolan find` lists a patient's documents.")
    if len(found) > 1:
        several = ", ".join(entry.entry_uuid for entry in found)
        raise Failure(f"{len(found)} entries have this uniqueId; name one of them: {several}.")
    return found[0]


def code_sets(settings: Settings) -> CodeSets:
    """The affinity domain's codes; Failure when their file cannot be used."""
    file = settings.codes_file or SHIPPED
    try:
        return load(file)
    except CodesError as error:
        raise Failure(*(f"{file}, {problem}." for problem in error.problems)) from error


def domain(settings: Settings) -> Domain:
    """What values are read by. Whether test numbers are taken is for the Registry to say."""
    return Domain(code_sets(settings), settings.patient_authority, lookup=looked_up(settings))


def identity(settings: Settings) -> PatientIdentity:
    """Asks the cross-reference service for patients' ids."""
    _traced(settings)
    return PatientIdentity(
        settings.identity_lookup or settings.identity_url,
        authority=settings.patient_authority,
        connect_timeout=settings.connect_timeout,
        answer_timeout=settings.answer_timeout,
        tls=_tls(settings),
    )


def looked_up(settings: Settings) -> Callable[[str], str]:
    """Gives the NHS Number (as a CX) to an id of another authority, asked for once, and says so."""

    @cache
    def look(patient_id: str) -> str:
        with identity(settings) as client:
            found = client.nhs_number_of(patient_id)
        if found is None:
            where = settings.identity_lookup or settings.identity_url
            raise UnknownPatient(f"is of another authority, and no NHS Number to it is known at {where}")
        click.echo(
            f"portolan: {patient_id} is the patient with the NHS Number {spaced_nhs_number(found.id)}.", err=True
        )
        return found.cx()

    return look


def registered(client: DocumentConsumer, wanted: Iterable[tuple[str, str]]) -> dict[str, DocumentEntry]:
    """Entries by uniqueId, for pairs of patient id and uniqueId.

    A registry answers for one patient at a time (XDSResultNotSinglePatient). Where a uniqueId turns out to belong to
    another patient than thought, each is asked for by itself.
    """
    by_patient: dict[str, dict[str, None]] = {}
    for patient_id, unique_id in wanted:
        by_patient.setdefault(patient_id, {})[unique_id] = None
    found: list[DocumentEntry] = []
    for patient_id, names in by_patient.items():
        try:
            found += client.get(unique_ids=list(names))
        except QueryRefused as refused:
            if all(error.code != _SEVERAL for error in refused.errors):
                raise
            for name in names:
                entries = sorted(entries_of(client, name), key=lambda entry: entry.patient_id != patient_id)
                found += entries[:1]
    return {entry.unique_id or "": entry for entry in found}


def entries_of(client: DocumentConsumer, unique_id: str) -> list[DocumentEntry]:
    """The entries of one document, which may be registered for several patients."""
    try:
        return client.get(unique_ids=[unique_id])
    except QueryRefused as refused:
        if all(error.code != _SEVERAL for error in refused.errors):
            raise
    ids = client.query("GetDocuments", {"$XDSDocumentEntryUniqueId": [unique_id]}, leaf=False).object_refs
    return [entry for name in ids for entry in client.get(entry_uuids=[name])]
