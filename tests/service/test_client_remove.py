"""DocumentAdministrator against running services."""

from __future__ import annotations

import pytest

from common.client import DocumentAdministrator, NotReached, RemovalRefused, UnknownRepository
from tests.factories import a_uuid, an_oid
from tests.service.test_iti41_provide import provided
from tests.wire import Services


def test_an_administrator_removes_metadata_then_documents(services: Services) -> None:
    entry = provided(services)
    name, unknown = entry.unique_id or "", an_oid()
    ids, message = services.everything(entry.patient_id or ""), a_uuid()
    addresses = {services.repository_id: services.repository}

    with DocumentAdministrator(services.registry, addresses) as administrator:
        with pytest.raises(RemovalRefused) as refused:
            administrator.remove_metadata(ids[:1], by="R. Manager", reason="a <test> & more")
        for _ in range(2):
            administrator.remove_metadata(ids, by="R. Manager", reason="a <test> & more", message_id=message)
        done = administrator.remove_documents(services.repository_id, [name, unknown])
        with pytest.raises(UnknownRepository):
            administrator.remove_documents("1.2.3", [name])
        with pytest.raises(RemovalRefused):
            administrator.remove_documents(services.repository_id, [an_oid() for _ in range(1001)])

    codes = {each.code for each in refused.value.errors}
    assert codes <= {"ReferencesExistException", "XDSUnreferencedObjectException"}
    assert done.removed == (name,)
    error = done.error_of(unknown)
    assert error is not None
    assert error.code == "XDSDocumentUniqueIdError"
    assert done.error_of(name) is None
    assert services.everything(entry.patient_id or "") == []
    assert services.retrieve(name).codes == ["XDSDocumentUniqueIdError"]


def test_a_registry_that_is_not_there_is_not_reached() -> None:
    nobody = DocumentAdministrator("http://127.0.0.1:9/registry", {}, connect_timeout=1)
    with nobody as administrator, pytest.raises(NotReached):
        administrator.remove_metadata([a_uuid()])
