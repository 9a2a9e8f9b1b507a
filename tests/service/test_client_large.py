"""Documents of any size pass through the client in flat memory."""

from __future__ import annotations

import hashlib
import tracemalloc
from pathlib import Path

import pytest

from tests.factories import a_patient_id
from tests.service.client_kit import a_consumer, a_new_document, a_source
from tests.wire import Services

MIB = 2**20
SIZE = 256 * MIB
MOST = 8 * MIB


def a_large_file(path: Path) -> str:
    """A file of ``SIZE`` bytes of which no two MiB are alike; its SHA-1."""
    sha1 = hashlib.sha1()
    with path.open("wb") as file:
        for number in range(SIZE // MIB):
            piece = number.to_bytes(16, "big") * (MIB // 16)
            sha1.update(piece)
            file.write(piece)
    return sha1.hexdigest()


@pytest.mark.slow
@pytest.mark.parametrize("seekable", [True, False], ids=["length known", "chunked"])
def test_a_document_of_256_mib_goes_in_and_out_in_8_mib(services: Services, tmp_path: Path, seekable: bool) -> None:
    sha1 = a_large_file(tmp_path / "large")
    patient = a_patient_id()
    with (
        a_source(services.repository) as source,
        a_consumer(services) as consumer,
        (tmp_path / "large").open("rb") as file,
    ):
        if not seekable:
            file.seekable = lambda: False  # type: ignore[method-assign]
        tracemalloc.start()
        try:
            source.submit([a_new_document(file, patient_id=patient)])
            [entry] = consumer.find(patient)
            with consumer.open(entry) as stream:
                opened = sum(map(len, stream))
            [document] = list(consumer.fetch([entry]))
            copied = sum(map(len, document.chunks()))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        document.close()

    assert (opened, copied, entry.hash, document.sha1_ok) == (SIZE, SIZE, sha1, True)
    assert peak < MOST
