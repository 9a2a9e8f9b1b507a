"""Writes pages of text and tables as PDF 1.7: A4, Helvetica, wrapped text, page numbers; the same in, the same out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

_WIDTH, _HEIGHT, _MARGIN = 595.0, 842.0, 56.0
INNER: Final = _WIDTH - 2 * _MARGIN
BODY, SMALL, HEADING, TITLE = 10.0, 8.0, 11.5, 16.0
_LEADING: Final = 1.35
_FLOOR: Final = _MARGIN + 24

# Advance widths of Helvetica for the characters from space to tilde, in thousandths (Adobe's font metrics).
_WIDTHS: Final = (
    (278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278)
    + (556,) * 10
    + (278, 278, 584, 584, 584, 556, 1015)
    + (667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833)
    + (722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611)
    + (278, 278, 278, 469, 556, 333)
    + (556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833)
    + (556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500)
    + (334, 260, 334, 584)
)
_BOLDER: Final = 1.08


@dataclass
class Pages:
    """Pages as lists of drawing commands, filled from the top."""

    pages: list[list[str]] = field(default_factory=lambda: [[]])
    y: float = _HEIGHT - _MARGIN

    def text(self, text: str, size: float = BODY, bold: bool = False) -> None:
        """One paragraph over the width of the page."""
        self.row([(text, INNER)], size, bold)

    def row(self, cells: list[tuple[str, float]], size: float = BODY, bold: bool = False) -> None:
        """Cells side by side, each wrapped to its width; a row stays on one page."""
        wrapped = [_wrapped(text, width - 6 if len(cells) > 1 else width, size, bold) for text, width in cells]
        height = max(len(lines) for lines in wrapped) * size * _LEADING
        if self.y - height < _FLOOR:
            self.break_page()
        x = _MARGIN
        for lines, (_, width) in zip(wrapped, cells, strict=True):
            for number, line in enumerate(lines, start=1):
                self.draw(line, x, self.y - number * size * _LEADING, size, bold)
            x += width
        self.y -= height

    def draw(self, line: str, x: float, y: float, size: float, bold: bool = False) -> None:
        """One line of text at a place."""
        font = "F2" if bold else "F1"
        self.pages[-1].append(f"BT /{font} {size:g} Tf {x:.1f} {y:.1f} Td ({_escaped(line)}) Tj ET")

    def rule(self) -> None:
        """A thin line over the width of the page."""
        self.pages[-1].append(f"0.5 w {_MARGIN} {self.y - 3:.1f} m {_WIDTH - _MARGIN} {self.y - 3:.1f} l S")
        self.space(6)

    def space(self, points: float) -> None:
        """Room downwards."""
        self.y -= points

    def keep(self, points: float) -> None:
        """Go to a new page unless there is this much room left on the present one."""
        if self.y - points < _FLOOR:
            self.break_page()

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]], shares: Sequence[float]) -> None:
        """A table whose columns have these shares of the width; each row stays on one page."""
        widths = [INNER * share / sum(shares) for share in shares]
        self.row(list(zip(head, widths, strict=True)), BODY, bold=True)
        for row in rows:
            self.row(list(zip(row, widths, strict=True)))

    def break_page(self) -> None:
        """Begin a new page."""
        self.pages.append([])
        self.y = _HEIGHT - _MARGIN


def pdf_file(page: Pages, *, title: str, created: str, footer: str) -> bytes:
    """The file; ``created`` is a DTM in UTC."""
    return _file([*_finished(page, footer)], title, created)


def _finished(page: Pages, footer: str) -> Iterator[str]:
    """The content of each page, with footer and page number."""
    count = len(page.pages)
    for number, commands in enumerate(page.pages, start=1):
        foot = Pages([[]])
        foot.draw(footer, _MARGIN, _MARGIN - 16, SMALL)
        foot.draw(f"Page {number} of {count}", _WIDTH - _MARGIN - 48, _MARGIN - 16, SMALL)
        yield "\n".join(commands + foot.pages[0])


def _file(contents: list[str], title: str, created: str) -> bytes:
    """The objects of a PDF file and the table that says where each begins (ISO 32000-1 section 7.5)."""
    font = "<< /Type /Font /Subtype /Type1 /BaseFont /{} /Encoding /WinAnsiEncoding >>"
    kids = " ".join(f"{6 + 2 * number} 0 R" for number in range(len(contents)))
    info = f"/Title ({_escaped(title)}) /Producer (Portolan) /CreationDate (D:{created}Z)"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R /Lang (en-GB) >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(contents)} /MediaBox [0 0 {_WIDTH:g} {_HEIGHT:g}] >>",
        font.format("Helvetica"),
        font.format("Helvetica-Bold"),
        f"<< {info} >>",
    ]
    for number, content in enumerate(contents):
        resources = "<< /Font << /F1 3 0 R /F2 4 0 R >> >>"
        objects.append(f"<< /Type /Page /Parent 2 0 R /Resources {resources} /Contents {7 + 2 * number} 0 R >>")
        objects.append(f"<< /Length {len(_bytes(content))} >>\nstream\n{content}\nendstream")
    return _with_places(objects)


def _with_places(objects: list[str]) -> bytes:
    # The four bytes above 127 tell transfer programs that this is no text.
    out, places = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"), []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += _bytes(f"{number} 0 obj\n{body}\nendobj\n")
    start, size = len(out), len(objects) + 1
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    out += _bytes(f"xref\n0 {size}\n0000000000 65535 f \n{table}")
    out += _bytes(f"trailer\n<< /Size {size} /Root 1 0 R /Info 5 0 R >>\nstartxref\n{start}\n%%EOF\n")
    return bytes(out)


def _bytes(text: str) -> bytes:
    """Text in the fonts' encoding; what it does not have becomes a question mark."""
    return text.encode("cp1252", "replace")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")


def _length(text: str, size: float, bold: bool) -> float:
    """How wide a text is in points; letters with accents count as wide as an o."""
    units = sum(_WIDTHS[ord(char) - 32] if " " <= char <= "~" else 556 for char in text)
    return units * size / 1000 * (_BOLDER if bold else 1)


def _wrapped(text: str, width: float, size: float, bold: bool) -> list[str]:
    """The text in lines that fit, broken between words; a word that is too long stands alone."""
    lines, line = [], ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if line and _length(longer, size, bold) > width:
            lines.append(line)
            longer = word
        line = longer
    return [*lines, line]
