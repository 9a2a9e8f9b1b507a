"""What a policy says of all documents of one patient, holds and relations between documents included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from common.db import Work
from registry.retention.deciding import Facts, Verdict, day_of, decide, families
from registry.retention.policy import Policy
from registry.store import holding, retaining
from registry.store.retaining import Retained


@dataclass(frozen=True, slots=True)
class Judged:
    """An entry and what is to become of it."""

    entry: Retained
    verdict: Verdict


def judge(work: Work, entries: Sequence[Retained], policy: Policy, as_of: date) -> list[Judged]:
    """The verdict on each of one patient's entries; documents that belong together go together or stay."""
    patient_id = entries[0].patient_id
    held = holding.holds_on(work, [(each.entry_uuid, patient_id, each.unique_id) for each in entries])
    death = day_of(retaining.deaths(work, [patient_id]).get(patient_id))
    alone = {each.entry_uuid: decide(facts, policy, as_of) for each, facts in _facts(entries, death)}
    for name, hold in held.items():
        alone[name] = Verdict(False, alone[name].rule, f"it is under the legal hold {hold}")
    ties = retaining.ties(work, patient_id) + [(each.entry_uuid, other.entry_uuid) for each, other in _same(entries)]
    verdicts = dict(alone)
    for family in families(alone, ties):
        stays = sorted(name for name in family if not alone[name].may_go)
        for name in family - set(stays) if stays else ():
            verdicts[name] = Verdict(False, alone[name].rule, f"it belongs together with {stays[0]}, which is kept")
    return [Judged(each, verdicts[each.entry_uuid]) for each in entries]


def _facts(entries: Sequence[Retained], death: date | None) -> list[tuple[Retained, Facts]]:
    births = {each.birth for each in entries if each.birth}
    birth = day_of(births.pop()) if len(births) == 1 else None
    days = [day_of(each.service_stop_time or each.service_start_time or each.creation_time) for each in entries]
    # A document without any date was made nobody knows when: nothing can be said of when the patient was last seen.
    last_seen = max((day for day in days if day), default=None) if None not in days else None
    return [(each, _of(each, last_seen, birth, death)) for each in entries]


def _of(each: Retained, last_seen: date | None, birth: date | None, death: date | None) -> Facts:
    return Facts(
        entry_uuid=each.entry_uuid,
        class_code=each.class_code,
        type_code=each.type_code,
        practice_setting_code=each.practice_setting_code,
        facility_code=each.facility_code,
        service_stop=day_of(each.service_stop_time or each.service_start_time),
        creation=day_of(each.creation_time),
        last_seen=last_seen,
        birth=birth,
        death=death,
    )


def _same(entries: Sequence[Retained]) -> list[tuple[Retained, Retained]]:
    """Entries that are versions of one, or of one document."""
    first: dict[str, Retained] = {}
    found = []
    for each in entries:
        for name in (each.logical_id, each.unique_id):
            found.append((first.setdefault(name, each), each))
    return found
