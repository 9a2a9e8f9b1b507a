"""The Python client with the addresses and times of the settings."""

from __future__ import annotations

from common.client import DocumentConsumer, DocumentSource
from common.codes import SHIPPED, CodesError, CodeSets, load
from common.settings import Settings
from console.failure import Failure
from console.metadata.entry import DEFAULT_SOURCE, Domain


def consumer(settings: Settings) -> DocumentConsumer:
    """Finds in the Registry, and fetches from every repository whose address is known."""
    return DocumentConsumer(
        settings.registry_url,
        settings.repository_addresses,
        connect_timeout=settings.connect_timeout,
        answer_timeout=settings.request_timeout,
    )


def source(settings: Settings) -> DocumentSource:
    """Submits to the Repository; what is submitted may name another source."""
    return DocumentSource(
        settings.repository_url,
        source_id=DEFAULT_SOURCE,
        connect_timeout=settings.connect_timeout,
        answer_timeout=settings.request_timeout,
    )


def code_sets(settings: Settings) -> CodeSets:
    """The affinity domain's codes; Failure when their file cannot be used."""
    file = settings.codes_file or SHIPPED
    try:
        return load(file)
    except CodesError as error:
        raise Failure(*(f"{file}, {problem}." for problem in error.problems)) from error


def domain(settings: Settings) -> Domain:
    """What values are read by. Whether test numbers are taken is for the Registry to say."""
    return Domain(code_sets(settings), settings.patient_authority)
