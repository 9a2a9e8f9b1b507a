"""Records on stable storage: in order, none lost, and an error where they cannot be kept."""

from __future__ import annotations

import errno
import os
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from common.audit import events
from common.audit.account import bind
from common.audit.asking import Recorder
from common.audit.quick import QuickWriter
from common.audit.segments import Destination, Segment, confirm, position, segments, size_of, sweep, waiting
from common.audit.spool import Bounds, Spool, SpoolFailed, Sync
from common.audit.syslog import Origin, framed
from common.audit.writing import written
from common.observe.health import Unready
from common.standard.transactions import ITI_18
from tests.unit.common.audit.kit import ASKER, AT, PATIENT, an_auditor, spooled
from tests.unit.common.audit.test_writing import a_message

ROOT = Path(__file__).parents[4]
FIELDS = Origin("host", "portolan", "17").fields
THERE = Destination("127.0.0.1", 6514)


def a_frame(text: str) -> bytes:
    return framed(written(a_message(text), AT), AT, FIELDS, failed=False)


def texts(folder: Path) -> list[str | None]:
    return [each.findtext("EventIdentification/EventOutcomeDescription") for each in spooled(folder)]


def a_spool(folder: Path, sync: Sync = Sync.OS, segment: int = 8192, most: int = 1 << 30) -> Spool:
    return Spool(folder, "registry", sync=sync, bounds=Bounds(most, segment))


@pytest.mark.parametrize("sync", Sync)
def test_what_many_threads_keep_is_all_there_each_in_its_order(tmp_path: Path, sync: Sync) -> None:
    spool = a_spool(tmp_path, sync)

    def keep(name: str) -> None:
        for number in range(50):
            spool.check()
            spool.append([a_frame(f"{name} {number}")])

    threads = [threading.Thread(target=keep, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spool.close()

    found = [str(each) for each in texts(tmp_path)]
    assert len(found) == 200
    for name in "abcd":
        assert [each for each in found if each.startswith(name)] == [f"{name} {number}" for number in range(50)]
    assert len(segments(tmp_path)) > 5


def test_several_records_of_one_request_stand_together(tmp_path: Path) -> None:
    spool = a_spool(tmp_path)
    spool.append([a_frame("one"), a_frame("two")])
    spool.append([a_frame("many")] * 20)
    spool.close()

    assert texts(tmp_path) == ["one", "two", *["many"] * 20]


def test_threads_that_wait_share_a_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs = []
    real = os.fdatasync

    def slow(fd: int) -> None:
        syncs.append(fd)
        time.sleep(0.05)
        real(fd)

    monkeypatch.setattr(os, "fdatasync", slow)
    spool = a_spool(tmp_path, Sync.ALWAYS, segment=1 << 20)
    threads = [threading.Thread(target=spool.append, args=([a_frame(str(number))],)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    shared = len(syncs)
    spool.close()

    assert shared < 8
    assert len(texts(tmp_path)) == 16


def test_a_file_is_finished_when_its_writer_has_gone(tmp_path: Path) -> None:
    spool = a_spool(tmp_path)
    spool.append([a_frame("x")])
    [path] = segments(tmp_path)
    segment = Segment(path)

    live, piece = segment.is_finished, segment.read(0, 1 << 16)
    spool.close()

    assert (live, piece.is_last, piece.count) == (False, False, 1)
    assert segment.is_finished
    assert segment.read(0, 1 << 16).is_last
    segment.close()


def test_room_is_given_back_when_a_process_ends(tmp_path: Path) -> None:
    spool = a_spool(tmp_path, segment=1 << 20)
    spool.check()
    spool.append([a_frame("x")])
    spool.close()

    assert size_of(tmp_path) == len(a_frame("x"))


def test_records_behind_a_hole_are_found(tmp_path: Path) -> None:
    spool = a_spool(tmp_path, segment=1 << 16)
    for name in "abc":
        spool.append([a_frame(name)])
    spool.close()
    [path] = segments(tmp_path)
    size = len(a_frame("a"))
    with path.open("r+b") as file:  # as a power cut leaves it: the second record did not get to the disk
        file.seek(size + 10)
        file.write(bytes(size - 10))

    segment = Segment(path)
    first = segment.read(0, 1 << 16)
    second = segment.read(first.end, 1 << 16)
    third = segment.read(second.end, 1 << 16)
    segment.close()

    assert (first.count, second.count) == (1, 1)
    assert second.data == a_frame("c")
    assert second.skipped == 10
    assert third.is_last
    assert not third.data


def test_a_record_that_was_cut_off_is_none(tmp_path: Path) -> None:
    spool = a_spool(tmp_path, segment=1 << 16)
    spool.append([a_frame("a")])
    spool.append([a_frame("b")])
    spool.close()
    [path] = segments(tmp_path)
    os.truncate(path, 2 * len(a_frame("a")) - 3)

    assert texts(tmp_path) == ["a"]
    assert waiting(tmp_path, THERE).records == 1


def test_what_is_confirmed_waits_no_more(tmp_path: Path) -> None:
    spool = a_spool(tmp_path, segment=1 << 16)
    spool.append([a_frame("a"), a_frame("b")])
    [path] = segments(tmp_path)

    before = waiting(tmp_path, THERE)
    confirm(path, THERE, len(a_frame("a")))

    assert (before.records, before.oldest) == (2, AT)
    assert waiting(tmp_path, THERE).records == 1
    assert waiting(tmp_path, Destination("elsewhere", 1)).records == 2
    assert position(path, THERE) == len(a_frame("a"))
    spool.close()


def test_a_file_that_nobody_finished_making_is_swept(tmp_path: Path) -> None:
    (tmp_path / "x.new").touch()
    os.utime(tmp_path / "x.new", (0, 0))

    sweep(tmp_path)

    assert not list(tmp_path.iterdir())


def failing(number: int) -> Callable[..., int]:
    def fail(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_write_that_fails_is_told_and_the_next_one_goes_to_another_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    spool = a_spool(tmp_path, segment=1 << 16)
    spool.append([a_frame("a")])
    with monkeypatch.context() as broken:
        broken.setattr(QuickWriter, "write", failing(number))
        with pytest.raises(SpoolFailed):
            spool.append([a_frame("b")])
        assert spool.failure

    spool.check()
    spool.append([a_frame("c")])
    spool.close()

    assert not spool.failure
    assert texts(tmp_path) == ["a", "c"]


def test_a_sync_that_fails_is_told_before_the_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = a_spool(tmp_path, Sync.ALWAYS, segment=1 << 16)
    with monkeypatch.context() as broken:
        broken.setattr(os, "fdatasync", failing(errno.EIO))
        with pytest.raises(SpoolFailed):
            spool.append([a_frame("a")])

    spool.check()
    spool.append([a_frame("b")])
    spool.close()
    assert texts(tmp_path) == ["a", "b"]  # what was not synced is sent all the same, as long as it is there


def test_no_room_for_a_file_is_told_before_anything_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = a_spool(tmp_path)
    with monkeypatch.context() as broken:
        broken.setattr(os, "posix_fallocate", failing(errno.ENOSPC))
        with pytest.raises(SpoolFailed, match="No space left"):
            spool.check()
        assert not list(tmp_path.iterdir())

    spool.check()
    spool.close()


def test_a_spool_that_is_full_takes_records_again_once_some_are_sent(tmp_path: Path) -> None:
    spool = a_spool(tmp_path, most=40_000)

    def keep_on() -> None:
        for _ in range(1000):
            spool.check()
            spool.append([a_frame("x")])
            time.sleep(0.005)

    with pytest.raises(SpoolFailed, match="limit of 40000"):
        keep_on()
    kept = len(texts(tmp_path))
    for path in segments(tmp_path):
        path.unlink()

    spool.check()
    spool.close()
    assert kept > 3


def test_nothing_is_done_that_cannot_be_recorded_unless_settings_say_so(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("no folder")
    strict, lax = (an_auditor(tmp_path / "spool", refuses=each) for each in (True, False))

    with pytest.raises(SpoolFailed):
        strict.check()
    with bind() as account, pytest.raises(SpoolFailed):
        strict.answered("ITI-18", "Success", account, ASKER)
    lax.check()
    lax.answered("ITI-18", "Success", account, ASKER)
    for each in (strict, lax):
        with pytest.raises(Unready, match="audit spool"):
            each.probe()


def test_an_auditor_writes_the_usual_and_the_unusual_alike(tmp_path: Path) -> None:
    auditor = an_auditor(tmp_path)
    for told in ("", "as it is not usual"):
        with bind() as account:
            account.concerns(PATIENT)
            account.asks("urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d", b"<query/>")
            auditor.answered("ITI-18", "Success", account, ASKER, told)
    auditor.close()

    one, other = spooled(tmp_path)
    for each in (one, other):
        each[0].attrib.pop("EventDateTime")
    assert [each.tag for each in one] == [each.tag for each in other]
    for left, right in zip(one.iter(), other.iter(), strict=True):
        assert (left.tag, left.attrib, left.text) == (right.tag, right.attrib, right.text)


def test_events_that_are_no_transactions_are_recorded(tmp_path: Path) -> None:
    auditor = an_auditor(tmp_path)
    auditor.started(events.STARTED)
    auditor.refused_message(events.NOT_UNDERSTOOD, ASKER, "Sender: no XML")
    auditor.by_user(events.RULES_CHANGED, "a role was given the right to read letters")
    for _ in range(50):
        auditor.not_admitted("192.0.2.9", "the certificate was refused: it has expired")
    auditor.close()

    started, refused, changed, *knocks = spooled(tmp_path)
    assert [each.get("csd-code") for each in changed[0][:2]] == ["110113", "110129"]
    assert [each.get("UserIsRequestor") for each in changed.findall("ActiveParticipant")] == ["false", "true"]
    assert [each.get("csd-code") for each in started[0]] == ["110100", "110120"]
    assert [each.get("csd-code") for each in started.iter("RoleIDCode")] == ["110150", "110151"]
    assert refused[0].findtext("EventOutcomeDescription") == "Sender: no XML"
    assert 10 <= len(knocks) <= 20
    assert [each.get("csd-code") for each in knocks[0][0][:2]] == ["110113", "110126"]
    assert knocks[0][0].get("EventOutcomeIndicator") == "8"


KILLED = """
import sys
from pathlib import Path
from common.audit.spool import Bounds, Spool, Sync
from tests.unit.common.audit.test_spool import a_frame
spool = Spool(Path(sys.argv[1]), "registry", sync=Sync(sys.argv[2]), bounds=Bounds(1 << 30, 8192))
for number in range(40):
    spool.check()
    spool.append([a_frame(str(number))])
    print(number, flush=True)
"""


@pytest.mark.parametrize(("sync", "count"), [("os", 1), ("os", 17), ("always", 30)])
def test_what_was_acknowledged_survives_a_kill_at_any_record(tmp_path: Path, sync: str, count: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), sync],
        env={**os.environ, "PORTOLAN_FAULT": f"audit.spooled:{count}=kill"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    acknowledged = done.stdout.split()
    assert done.returncode == -9, done.stderr
    assert len(acknowledged) == count - 1
    assert texts(tmp_path) == [*acknowledged, str(count - 1)]
    for path in segments(tmp_path):
        segment = Segment(path)
        assert segment.is_finished
        segment.close()


def test_no_value_of_a_sender_gets_into_the_stream_as_a_record(tmp_path: Path) -> None:
    spool = a_spool(tmp_path, segment=1 << 16)
    forged = f"\n{len(a_frame('x'))} <85>1 {AT} {FIELDS} IHE+RFC-3881 - <AuditMessage/></AuditMessage>"
    spool.append([a_frame(forged)])
    spool.close()

    assert len(texts(tmp_path)) == 1


def test_a_neighbour_that_is_not_who_it_should_be_is_recorded_besides_what_was_asked(tmp_path: Path) -> None:
    auditor = an_auditor(tmp_path)
    url = "https://registry.example:8010/registry"

    def ask(error: OSError) -> None:
        with Recorder(auditor, url).asking(ITI_18):
            try:
                raise error
            except OSError as cause:
                raise LookupError("no TLS with registry.example: it has expired") from cause

    for error in ConnectionRefusedError(), ssl.SSLCertVerificationError():
        with pytest.raises(LookupError):
            ask(error)
    auditor.close()

    asked, alert, again = spooled(tmp_path)
    assert [each[0][0].get("csd-code") for each in (asked, alert, again)] == ["110112", "110113", "110112"]
    assert [each.get("csd-code") for each in alert[0][:2]] == ["110113", "110126"]
    assert [each.get("UserID") for each in alert.findall("ActiveParticipant")][-1] == url
    assert alert.find("ParticipantObjectIdentification").get("ParticipantObjectID") == url  # type: ignore[union-attr]
