"""Limits hold whatever form a message takes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from common.standard.transactions import ITI_18, ITI_41
from tests.factories import a_document, a_patient_id, a_submission
from tests.running import Pair, a_pair
from tests.wire import Services, envelope, provide_body

DOCUMENT = '<xds:Document id="{}">YQ==</xds:Document>'


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """A pair with small limits."""
    limits = {"MAX_DOCUMENTS": "2", "MAX_METADATA_BYTES": "64KiB"}
    pair: Pair = a_pair(tmp_path_factory.mktemp("narrow"), limits)
    pair.start()
    yield pair.services
    pair.stop()


@pytest.mark.parametrize(("count", "codes"), [(2, []), (3, ["XDSRepositoryOutOfResources"])])
def test_inline_documents_are_counted_too(narrow: Services, count: int, codes: list[str]) -> None:
    patient = a_patient_id()
    entries = [a_document(hash=None, size=None, patient_id=patient) for _ in range(count)]
    documents = "".join(DOCUMENT.format(entry.entry_uuid) for entry in entries)

    found = narrow.simple(narrow.repository, envelope(ITI_41, provide_body(a_submission(*entries), documents.encode())))

    assert found.codes == codes
    assert len(narrow.find(patient).ids()) == (0 if codes else count)


def test_only_who_takes_documents_speaks_of_mtom(narrow: Services) -> None:
    message = envelope(ITI_18, b"<a>" + bytes(b" " * 70_000) + b"</a>")

    assert "MTOM" not in narrow.simple(narrow.registry, message).fault
    assert "MTOM" in narrow.simple(narrow.repository, message).fault
