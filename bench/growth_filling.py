"""Fills a Registry's database by the Registry's own code: patients as they come, and some that are measured."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from multiprocessing import get_context
from typing import Final

from sqlalchemy import create_engine, text

from common.db import open_database
from common.model import Association, DocumentEntry, Folder
from common.standard.nhs import check_digit
from registry.register import Register
from registry.store import schema
from tests.factories import HAS_MEMBER, AnyDomain, a_code, a_document, a_folder, a_link, a_patient_id, a_submission

HELD: Final = (1, 10, 100)
"""So many documents have the patients that are asked for."""
PATIENTS_EACH: Final = 4
MOST_HOT: Final = 20_000
TYPES: Final = 20
WANTED: Final = 10
"""So many documents a filtered question about the hot patient finds, however many the patient has."""

_BASE_PATIENTS: Final = 800_000
_DOCUMENTS: Final = 12
_A_SUBMISSION: Final = 4
_TASK: Final = 100
_BEGIN: Final = datetime(2006, 1, 1)
_STEP: Final = timedelta(hours=4)


@dataclass(frozen=True, slots=True)
class Population:
    """Who is in a database: so many documents in all, and the patients that are asked for."""

    documents: int
    patients: dict[int, list[str]]
    hot: str
    hot_documents: int


def plan(documents: int) -> Population:
    """A fifth of all documents, at most 20,000, are of one hot patient."""
    names = numbers(900_000)
    patients = {count: [a_patient_id(next(names)) for _ in range(PATIENTS_EACH)] for count in HELD}
    return Population(documents, patients, a_patient_id(next(names)), min(MOST_HOT, documents // 5))


def numbers(first: int) -> Iterator[str]:
    """NHS Numbers of the 999 test range from here on."""
    for number in range(first, 1_000_000):
        digit = check_digit(f"999{number:06d}")
        if digit is not None:
            yield f"999{number:06d}{digit}"


def hot_type(number: int) -> str:
    """The typeCode of the hot patient's document with this number."""
    return f"type-{number % TYPES}"


def hot_time(number: int) -> str:
    """When the hot patient's document with this number was made."""
    return (_BEGIN + number * _STEP).strftime("%Y%m%d%H%M%S")


def fill(url: str, population: Population, processes: int) -> None:
    """Migrate a new database and register everybody's documents, by several processes."""
    database = open_database(url)
    schema.upgrade(database)
    database.close()
    measured = PATIENTS_EACH * sum(HELD) + population.hot_documents
    base = max(0, population.documents - measured)
    people = [(name, count) for count, names in population.patients.items() for name in names]
    tasks = [people, *_shared_out(base)]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for done in [pool.submit(_register, url, task) for task in tasks]:
            done.result()
        pool.submit(_register_hot, url, population.hot, population.hot_documents).result()
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("VACUUM ANALYZE"))
        connection.execute(text("CHECKPOINT"))
    engine.dispose()


def _shared_out(documents: int) -> Iterator[list[tuple[str, int]]]:
    """Patients with twelve documents each, in portions for one process."""
    names = (a_patient_id(number) for number in islice(numbers(0), _BASE_PATIENTS))
    while documents > 0:
        portion = []
        for name in islice(names, _TASK):
            portion.append((name, min(_DOCUMENTS, documents)))
            documents -= portion[-1][1]
            if documents <= 0:
                break
        if not portion:
            raise ValueError("there are not enough patients for so many documents")
        yield portion


def _register(url: str, people: list[tuple[str, int]]) -> None:
    with _Filler(url) as filler:
        for patient_id, count in people:
            entries = [a_document(patient_id=patient_id) for _ in range(count)]
            filler.submit(entries[:_A_SUBMISSION], in_folder=True)
            for start in range(_A_SUBMISSION, count, _A_SUBMISSION):
                filler.submit(entries[start : start + _A_SUBMISSION])


def _register_hot(url: str, patient_id: str, count: int) -> None:
    with _Filler(url) as filler:
        entries = (
            a_document(patient_id=patient_id, type_code=a_code(hot_type(number)), creation_time=hot_time(number))
            for number in range(count)
        )
        while portion := list(islice(entries, _A_SUBMISSION)):
            filler.submit(portion)


class _Filler:
    """One process's Register action."""

    def __init__(self, url: str) -> None:
        self._database = open_database(url, pool=1)
        self._register = Register(self._database, AnyDomain(), max_objects=1000)

    def submit(self, entries: list[DocumentEntry], *, in_folder: bool = False) -> None:
        """Register documents in one submission, with a Folder that holds the first of them where asked."""
        folder = a_folder(patient_id=entries[0].patient_id)
        more: list[Folder | Association] = [folder, a_link(HAS_MEMBER, folder, entries[0])] if in_folder else []
        submission = a_submission(*entries, *more)
        answer = self._register.register(lambda: submission, message_id=None, digest="filled", correlation="bench")
        if answer.errors:
            raise RuntimeError(answer.errors[0].context)

    def __enter__(self) -> _Filler:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()
