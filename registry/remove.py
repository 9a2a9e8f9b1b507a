"""ITI-62: removes metadata for good, all that is listed or nothing (ITI TF-2 3.62, supplement RMD)."""

from __future__ import annotations

import logging
from collections.abc import Callable

from common.audit import account
from common.clock import utc_now
from common.db import Database, decided
from common.ebxml.removal import RemoveObjects
from common.faults import checkpoint
from common.model import RegistryResponse, Status
from common.rules import Objection
from common.standard.errors import ErrorCode
from registry.access.touching import Hidden, nothing_hidden
from registry.register import refusal
from registry.rules.removal import FORM, REMOVAL
from registry.store import removing
from registry.store.removing import Evidence

log = logging.getLogger("portolan.remove")

_MOST_TOLD = 1000
_SUCCESS = RegistryResponse(Status.SUCCESS)


class Remove:
    """Decides on removals, and carries them out with their evidence."""

    def __init__(self, database: Database, *, max_objects: int, now: Callable[[], str] = utc_now) -> None:
        self._database = database
        self._max_objects = max_objects
        self._now = now

    def remove(
        self, request: RemoveObjects, *, message_id: str | None, correlation: str, hidden: Hidden = nothing_hidden
    ) -> RegistryResponse:
        """Success, or every objection; the same message again gets the same answer, and changes nothing.

        What is ``hidden`` of that which is listed is as if unknown.
        """
        if objections := FORM.check(request):
            return refusal(objections, correlation)
        if (count := len(request.ids)) > self._max_objects:
            told = f"{count} objects are listed; at most {self._max_objects} are removed at a time"
            return refusal([Objection(ErrorCode.XDSRegistryOutOfResources, "", told)], correlation)
        account.current().objects += request.ids
        by, reason = said(request.comment)
        return decided(
            lambda: self._once(request.ids, Evidence(self._now(), by, reason, message_id, correlation), hidden)
        )

    def _once(self, ids: tuple[str, ...], evidence: Evidence, hidden: Hidden) -> RegistryResponse:
        with self._database.write() as work:
            known = removing.removable(work, ids)
            for name in hidden(work, known.objects):
                del known.objects[name]
            account.current().removes((each.entry_uuid, each.patient_id) for each in known.going())
            if unknown := [name for name in ids if name not in known.objects]:
                gone = removing.removed(work, unknown)
                known.gone = {name: at for name, (at, _) in gone.items()}
                by_this = {name for name, (_, message) in gone.items() if message and message == evidence.message_id}
                if by_this == set(ids):
                    return _SUCCESS
            if objections := REMOVAL.check(known):
                return refusal(objections, evidence.correlation)
            removing.remove(work, known, evidence)
            work.commit()
        checkpoint("answer.started")
        log.info("removed", extra={"objects": len(ids)})
        return _SUCCESS


def said(comment: str) -> tuple[str, str]:
    """Who removes and why, out of the request's comment, which our client writes as ``WHO: WHY``."""
    who, colon, why = comment[:_MOST_TOLD].partition(": ")
    return (who.strip(), why.strip()) if colon else ("", comment[:_MOST_TOLD])
