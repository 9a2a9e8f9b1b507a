"""Which check belongs to which data type (ITI TF-3 Table 4.2.3.1.7-2)."""

from __future__ import annotations

from typing import Final

from common.hl7 import types
from common.standard.attributes import DataType

CHECKS: Final[dict[DataType, types.Check]] = {
    DataType.CX: types.cx,
    DataType.CXI: types.cxi,
    DataType.XCN: types.xcn,
    DataType.DTM: types.dtm,
    DataType.OID: types.oid,
    DataType.OID_URN: types.oid_urn,
    DataType.SHA1: types.sha1,
    DataType.SIZE: types.size,
    DataType.LANGUAGE: types.language,
    DataType.MIME_TYPE: types.mime_type,
    DataType.IDENTIFIER: types.identifier,
    DataType.RECIPIENT: types.intended_recipient,
    DataType.PATIENT_INFO: types.source_patient_info,
    DataType.TEXT: types.text,
}
