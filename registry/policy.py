"""The affinity domain's policies as settings have them: codes and patients."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from common.codes import CodeSets
from common.hl7.types import cx
from common.standard.nhs import nhs_number_problem

NHS_NUMBER_AUTHORITY = "2.16.840.1.113883.2.1.4.1"


@dataclass(frozen=True, slots=True)
class AffinityDomain:
    """Codes, and whose documents are taken."""

    codes: CodeSets
    patient_authority: str
    only_fed_patients: bool
    test_numbers: bool
    home_community: str = ""

    def accepts_code(self, attribute: str, code: str, scheme: str) -> bool:
        """Whether a code is of the attribute's value set."""
        return self.codes.accepts(attribute, code, scheme)

    def accepts_mime(self, mime_type: str) -> bool:
        """Whether documents may be of this type."""
        return self.codes.accepts_mime(mime_type)

    def patient_problem(self, patient_id: str) -> str | None:
        """What is wrong with a patient id as such, in words that do not repeat it."""
        return _problem(patient_id, self.patient_authority, self.test_numbers)


@lru_cache(maxsize=4096)
def _problem(patient_id: str, authority: str, test_numbers: bool) -> str | None:
    if cx(patient_id):
        return None  # its form is objected to by another rule
    number, _, rest = patient_id.partition("^")
    if rest.strip("^").split("&")[1] != authority:
        return f"the patient id is not of this affinity domain, whose assigning authority is {authority}"
    if authority != NHS_NUMBER_AUTHORITY:
        return None
    return nhs_number_problem(number, test_numbers=test_numbers)
