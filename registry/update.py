"""ITI-57 and ITI-92: amends what is registered, all that a message asks for or nothing (XDS Metadata Update, 3.57)."""

from __future__ import annotations

import logging
from collections.abc import Callable

from common.audit import account
from common.clock import utc_now
from common.db import Database, Work, decided
from common.ebxml.fragments import new_uuid
from common.faults import checkpoint
from common.model import RegistryResponse, Severity, Status, Submission
from common.rules import Objection, as_errors
from common.standard.errors import ErrorCode
from registry.access.touching import Hidden, nothing_hidden
from registry.known import Domain, wanted
from registry.register import refusal
from registry.rules import effects
from registry.rules.operations import Update as Asked
from registry.rules.operations import read_update
from registry.rules.restricted import RESTRICTED
from registry.rules.revising import Revision, revise
from registry.rules.updates import UPDATES, sizes_not_taken
from registry.store import registering, updating
from registry.versions import KnownVersions

log = logging.getLogger("portolan.update")

_SUCCESS = RegistryResponse(Status.SUCCESS)


class Update:
    """Decides on updates, and carries out those that are good."""

    def __init__(
        self,
        database: Database,
        domain: Domain,
        *,
        max_objects: int,
        new_id: Callable[[], str] = new_uuid,
        now: Callable[[], str] = utc_now,
    ) -> None:
        self._database = database
        self._domain = domain
        self._max_objects = max_objects
        self._new_id = new_id
        self._now = now

    def update(
        self,
        read: Callable[[], Submission],
        *,
        restricted: bool,
        message_id: str | None,
        digest: str,
        correlation: str,
        hidden: Hidden = nothing_hidden,
    ) -> RegistryResponse:
        """Success, or every objection; the same message again gets the same answer, and changes nothing.

        ``read`` makes the submission anew, since a race lost to another message is run again from the start: of two
        updates of one version the second then hears that there is a newer one.
        What is ``hidden`` of that which the update names is as if unknown.
        """
        submission = read()
        account.current().submits((each.patient_id, each.unique_id) for each in submission.submission_sets)
        if (count := len(submission.objects())) > self._max_objects:
            told = f"the update has {count} objects; at most {self._max_objects} are taken"
            return refusal([Objection(ErrorCode.XDSRegistryOutOfResources, "", told)], correlation)
        first = [submission]
        return decided(
            lambda: self._once(
                read_update(first.pop() if first else read()), restricted, message_id, digest, correlation, hidden
            )
        )

    def _once(
        self,
        asked: Asked,
        restricted: bool,
        message_id: str | None,
        digest: str,
        correlation: str,
        hidden: Hidden,
    ) -> RegistryResponse:
        submission, operations = asked.submission, asked.operations
        needs = wanted(submission)
        with self._database.write() as work:
            lids = [version.logical_id for version in operations.versions]
            known = updating.known_versions(work, needs, lids, [status.target for status in operations.statuses])
            known.forget(hidden(work, known.named()))
            objections = (RESTRICTED if restricted else UPDATES).check(asked, known, self._domain)
            if objections:
                if registering.is_repeated(work, submission, message_id, digest):
                    return _SUCCESS
                return refusal(objections, correlation)
            warnings = [Objection(ErrorCode.XDSNonIdenticalSize, *told) for told in sizes_not_taken(asked, known)]
            now = self._now()
            revision = revise(asked, known, self._new_id, now, keep_status=restricted)
            self._write(work, revision, known, now)
            registering.insert(
                work,
                revision.submission,
                known.known,
                submitted=needs.submitted_ids,
                message_id=message_id,
                digest=digest,
                now=now,
                new_id=self._new_id,
            )
            work.commit()
        checkpoint("answer.started")
        return RegistryResponse(Status.SUCCESS, as_errors(warnings, correlation, Severity.WARNING))

    def _write(self, work: Work, revision: Revision, known: KnownVersions, now: str) -> None:
        updating.supersede(work, revision.superseded)
        for target, before, after in revision.statuses:
            updating.change_status(work, target, before, after)
        touched = revision.touched
        if replaced := revision.replaced:
            holding = registering.folders_holding(work, replaced)
            effects.join_folders(revision.submission, replaced, holding, self._new_id)
            touched = touched | {name for names in holding.values() for name in names}
            registering.deprecate(work, registering.with_derived(work, replaced))
        registering.touch_folders(work, touched, now)
