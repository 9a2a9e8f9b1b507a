"""The PDF writer: whole, the same each time, and readable by other programs."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from common.paper.pdf import _length, _wrapped
from console.letters.headings import section
from console.letters.model import Letter
from console.letters.pdf import pdf
from console.letters.samples import sample_letters

LETTERS = [sample.letter for sample in sample_letters()]


@pytest.fixture(params=LETTERS, ids=lambda letter: letter.number)
def letter(request: pytest.FixtureRequest) -> Letter:
    found = request.param
    assert isinstance(found, Letter)
    return found


def long_letter() -> Letter:
    words = tuple(f"Paragraph {number} " + "of many words " * 30 for number in range(40))
    return replace(LETTERS[0], sections=(section("Clinical summary", *words),))


def test_the_same_letter_gives_the_same_bytes(letter: Letter) -> None:
    assert pdf(letter) == pdf(letter)


def test_every_object_is_where_the_table_says(letter: Letter) -> None:
    content = pdf(letter)
    start = int(content.rsplit(b"startxref\n", 1)[1].split()[0])
    table = content[start:].split(b"trailer")[0].splitlines()
    places = [int(line[:10]) for line in table[3:]]

    assert content.startswith(b"%PDF-1.7\n")
    assert content.endswith(b"%%EOF\n")
    assert table[0] == b"xref"
    assert all(len(line) == 19 for line in table[2:])
    for number, place in enumerate(places, start=1):
        assert content[place:].startswith(f"{number} 0 obj\n".encode())


def test_every_stream_has_its_length(letter: Letter) -> None:
    content = pdf(letter)
    streams = re.findall(rb"/Length (\d+) >>\nstream\n(.*?)\nendstream", content, re.DOTALL)

    assert streams
    assert all(int(length) == len(stream) for length, stream in streams)


def test_pages_are_numbered_and_nothing_leaves_them() -> None:
    content = pdf(long_letter()).decode("cp1252")
    pages = content.count("/Type /Page ")

    assert pages > 2
    assert f"(Page {pages} of {pages})" in content
    assert all(30 <= float(y) <= 800 for y in re.findall(r"Tf [\d.]+ (-?[\d.]+) Td", content))


def test_odd_text_does_not_break_the_file() -> None:
    odd = replace(LETTERS[0], title="(a) \\b\\ ) é € 漢\n endstream", sections=(section("History", ")) Tj ET"),))
    content = pdf(odd)

    assert b"\\(a\\) \\\\b\\\\ \\)" in content
    assert content.count(b"\nendstream\nendobj") == content.count(b"stream\nBT")


@pytest.mark.parametrize("width", [20.0, 100.0, 400.0])
def test_lines_fit(width: float) -> None:
    text = "Treated with intravenous amoxicillin for two days, then by mouth"
    lines = _wrapped(text, width, 10, False)

    assert " ".join(lines) == text
    assert all(_length(line, 10, False) <= width for line in lines if " " in line)


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="pdftotext (poppler-utils) is not installed")
def test_another_program_reads_the_text(letter: Letter, tmp_path: Path) -> None:
    file = tmp_path / "letter.pdf"
    file.write_bytes(pdf(letter))
    read = subprocess.run(["pdftotext", "-layout", file, "-"], capture_output=True, check=True)
    text = read.stdout.decode()

    assert read.stderr == b""
    assert letter.patient.family in text
    assert letter.author.full_name in text
    assert all(part.heading in text for part in letter.sections)


@pytest.mark.skipif(shutil.which("qpdf") is None, reason="qpdf is not installed")
def test_another_program_finds_no_fault(letter: Letter, tmp_path: Path) -> None:
    file = tmp_path / "letter.pdf"
    file.write_bytes(pdf(letter))

    subprocess.run(["qpdf", "--check", "--warning-exit-0", file], capture_output=True, check=True)
