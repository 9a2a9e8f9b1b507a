"""The transactions that are served, each a row (spec: ITI TF-2; WSDLs of ITI TF-2x appendix W)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from common.standard.identifiers import HL7_V3, LCM, QUERY, RMD, XDS


@dataclass(frozen=True, slots=True)
class Transaction:
    """One ITI transaction: how it is asked for, and how it answers.

    ``root`` is the request's root element in Clark notation; ``always_mtom`` tells whether the
    answer is MTOM/XOP whatever the request was (ITI TF-2x V.3.6), else it takes the request's form.
    ``other_root`` is another that some write for the same request.
    """

    iti: int
    name: str
    actor: str
    action: str
    answer_action: str
    root: str
    always_mtom: bool = False
    other_root: str = ""

    @property
    def roots(self) -> tuple[str, ...]:
        """The root elements that a request may have."""
        return (self.root, self.other_root) if self.other_root else (self.root,)

    @property
    def label(self) -> str:
        """``ITI-42``: for logs, metrics and people."""
        return f"ITI-{self.iti}"


def _row(iti: int, name: str, actor: str, action: str, root: str, answer: str = "", mtom: bool = False) -> Transaction:
    return Transaction(iti, name, actor, action, answer or f"{action}Response", root, mtom)


ITI_18: Final = _row(
    18, "Registry Stored Query", "registry", "urn:ihe:iti:2007:RegistryStoredQuery", f"{{{QUERY}}}AdhocQueryRequest"
)
ITI_41: Final = _row(
    41,
    "Provide and Register Document Set-b",
    "repository",
    "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b",
    f"{{{XDS}}}ProvideAndRegisterDocumentSetRequest",
    mtom=True,
)
ITI_42: Final = _row(
    42,
    "Register Document Set-b",
    "registry",
    "urn:ihe:iti:2007:RegisterDocumentSet-b",
    f"{{{LCM}}}SubmitObjectsRequest",
)
ITI_43: Final = _row(
    43,
    "Retrieve Document Set",
    "repository",
    "urn:ihe:iti:2007:RetrieveDocumentSet",
    f"{{{XDS}}}RetrieveDocumentSetRequest",
    mtom=True,
)


def _identity_feed(what: str, interaction: str) -> Transaction:
    """One of the interactions of ITI-44; each has an action of its own, and all are answered alike."""
    return _row(
        44,
        f"Patient Identity Feed HL7 V3, {what}",
        "registry, identity",
        f"{HL7_V3}:{interaction}",
        f"{{{HL7_V3}}}{interaction}",
        answer=f"{HL7_V3}:MCCI_IN000002UV01",
    )


ITI_44_ADD: Final = _identity_feed("record added", "PRPA_IN201301UV02")
ITI_44_REVISE: Final = _identity_feed("record revised", "PRPA_IN201302UV02")
ITI_44_MERGE: Final = _identity_feed("duplicates resolved", "PRPA_IN201304UV02")


def _patient_query(iti: int, name: str, action: str, interaction: str, answer: str, other: str = "") -> Transaction:
    """One of the queries of HL7 v3 for patients."""
    root = f"{{{HL7_V3}}}{interaction}"
    answered = f"{HL7_V3}:{answer}"
    other_root = f"{{{HL7_V3}}}{other}" if other else ""
    return Transaction(iti, name, "identity", f"{HL7_V3}:{action}", answered, root, other_root=other_root)


ITI_45: Final = _patient_query(45, "PIXV3 Query", "PRPA_IN201309UV02", "PRPA_IN201309UV02", "PRPA_IN201310UV02")
ITI_47: Final = _patient_query(
    47, "Patient Demographics Query HL7 V3", "PRPA_IN201305UV02", "PRPA_IN201305UV02", "PRPA_IN201306UV02"
)
ITI_47_CONTINUE: Final = _patient_query(
    47,
    "Patient Demographics Query HL7 V3, continued",
    "QUQI_IN000003UV01_Continue",
    "QUQI_IN000003UV01",
    "PRPA_IN201306UV02",
)
ITI_47_CANCEL: Final = _patient_query(
    47,
    "Patient Demographics Query HL7 V3, cancelled",
    "QUQI_IN000003UV01_Cancel",
    "QUQI_IN000003UV01_Cancel",  # as IHE's WSDL has it; its text speaks of the other
    "MCCI_IN000002UV01",
    other="QUQI_IN000003UV01",
)
ITI_51: Final = _row(
    51,
    "Multi-Patient Stored Query",
    "registry",
    "urn:ihe:iti:2009:MultiPatientStoredQuery",
    f"{{{QUERY}}}AdhocQueryRequest",
)
ITI_57: Final = _row(
    57,
    "Update Document Set",
    "registry",
    "urn:ihe:iti:2010:UpdateDocumentSet",
    f"{{{LCM}}}SubmitObjectsRequest",
)
ITI_61: Final = _row(
    61,
    "Register On-Demand Document Entry",
    "registry",
    "urn:ihe:iti:2010:RegisterOnDemandDocumentEntry",
    f"{{{LCM}}}SubmitObjectsRequest",
    answer="urn:ihe:iti:2010:RegisterOnDemandDocumentResponse",  # so it is in the standard: without "Entry"
)
ITI_62: Final = _row(
    62,
    "Remove Metadata",
    "registry",
    "urn:ihe:iti:2010:DeleteDocumentSet",
    f"{{{LCM}}}RemoveObjectsRequest",
)
ITI_86: Final = _row(
    86,
    "Remove Documents",
    "repository",
    "urn:ihe:iti:2017:RemoveDocuments",
    f"{{{RMD}}}RemoveDocumentsRequest",
)
ITI_92: Final = _row(
    92,
    "Restricted Update Document Set",
    "registry",
    "urn:ihe:iti:2018:RestrictedUpdateDocumentSet",
    f"{{{LCM}}}SubmitObjectsRequest",
)

TRANSACTIONS: Final = (
    ITI_18, ITI_41, ITI_42, ITI_43, ITI_44_ADD, ITI_44_REVISE, ITI_44_MERGE, ITI_45, ITI_47, ITI_47_CONTINUE,
    ITI_47_CANCEL, ITI_51, ITI_57, ITI_61, ITI_62, ITI_86, ITI_92,
)  # fmt: skip
BY_ACTION: Final = {row.action: row for row in TRANSACTIONS}
