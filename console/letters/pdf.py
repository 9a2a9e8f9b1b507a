"""Writes a letter as PDF; the same letter gives the same bytes."""

from common.paper.pdf import HEADING, INNER, SMALL, TITLE, Pages, pdf_file
from console.letters.model import Letter, Section, dtm


def pdf(letter: Letter) -> bytes:
    """The letter as a PDF file."""
    page = Pages()
    _head(page, letter)
    for section in letter.sections:
        _section(page, section)
    page.space(8)
    page.text(f"{letter.author.full_name}, {letter.author.role}", bold=True)
    page.text(f"{letter.hospital.name}. Copy to {letter.practice.name} ({letter.practice.ods}) and the patient.")
    footer = f"{letter.hospital.name}  |  document {letter.unique_id}  |  made-up example, not a real patient"
    return pdf_file(page, title=letter.title, created=dtm(letter.written), footer=footer)


def _head(page: Pages, letter: Letter) -> None:
    patient = letter.patient
    page.text(letter.hospital.name, HEADING, bold=True)
    page.text(", ".join(letter.hospital.address), SMALL)
    page.space(10)
    page.text(letter.title, TITLE, bold=True)
    page.rule()
    born = f"{patient.birth[6:]}/{patient.birth[4:6]}/{patient.birth[:4]}"
    stay = ("Admitted", "Discharged") if letter.inpatient else ("Seen", "Letter written")
    ended = letter.ended if letter.inpatient else letter.written
    sex = {"F": "Female", "M": "Male"}.get(patient.sex, "Not stated")
    number = f"{patient.nhs_number[:3]} {patient.nhs_number[3:6]} {patient.nhs_number[6:]}"
    rows = (
        ("Patient", f"{patient.prefix} {patient.given} {patient.family}", "NHS Number", number),
        ("Date of birth", born, "Hospital number", patient.local_id),
        ("Sex", sex, "GP practice", f"{letter.practice.name} ({letter.practice.ods})"),
        (stay[0], f"{letter.began:%d/%m/%Y}", stay[1], f"{ended:%d/%m/%Y}"),
    )
    for row in rows:
        page.row([(text, INNER * share) for text, share in zip(row, (0.16, 0.34, 0.18, 0.32), strict=True)])
    page.rule()


def _section(page: Pages, section: Section) -> None:
    # A heading alone at the foot of a page would be read as an empty section.
    page.keep(60)
    page.space(8)
    page.text(section.heading, HEADING, bold=True)
    for paragraph in section.paragraphs:
        page.text(paragraph)
    if section.table:
        table = section.table
        page.table(table.head, table.rows, table.widths)
