"""The PRSB headings of a discharge summary, with the section codes seen in NHS guides where one is known."""

from typing import Final

from console.letters.model import Section, Table

_CODES: Final = {
    "Patient demographics": "886731000000109",
    "GP practice": "886711000000101",
    "Referral details": "886721000000107",
    "Presenting complaints or issues": "886891000000102",
    "Relevant past medical, surgical and mental health history": "933271000000106",
    "History": "717121000000105",
    "Allergies and adverse reactions": "886921000000105",
    "Medications and medical devices": "933361000000108",
    "Clinical narrative": "1077901000000108",
    "Plan and requested actions": "887201000000105",
    "Information and advice given": "1052951000000105",
    "Legal information": "61861000000100",
    "Distribution list": "887261000000109",
    "Attendance details": "1077881000000105",
    "Assessment": "325931000000109",
    "Treatments and interventions": "1077891000000107",
    "Incident details": "913331000000108",
    # Headings of the standard whose code is not confirmed stand without one.
    "Admission details": None,
    "Discharge details": None,
    "Diagnoses": None,
    "Procedures": None,
    "Clinical summary": None,
    "Investigation results": None,
    "Social context": None,
    "Safety alerts": None,
    "Patient and carer concerns": None,
    "Person completing record": None,
}


def section(heading: str, *paragraphs: str, table: Table | None = None) -> Section:
    """A section under one of the headings; KeyError for any other."""
    return Section(heading, _CODES[heading], paragraphs, table)


def medicines(*rows: tuple[str, str, str]) -> Section:
    """The medicines as a table of medicine, dose and what changed."""
    return section("Medications and medical devices", table=Table(("Medicine", "Dose", "Status"), rows, (30, 34, 36)))


def results(*rows: tuple[str, str, str]) -> Section:
    """Investigations as a table of name, date and result."""
    return section("Investigation results", table=Table(("Investigation", "Date", "Result"), rows, (30, 16, 54)))
