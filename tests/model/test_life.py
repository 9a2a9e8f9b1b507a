"""Submissions, updates, removals, purges, merges, link changes: the Registry does what a simple model of it does.

``PORTOLAN_MODEL_EXAMPLES`` and ``PORTOLAN_MODEL_STEPS`` say how many lives are lived, and how long each is.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from common.db import Database, open_database
from registry.store.schema import upgrade
from tests.factories import a_patient_id, submit_objects
from tests.model.reality import ANY_TYPE, Reality, as_submission
from tests.model.soundness import problems
from tests.model.world import (
    APND,
    APPROVED,
    DEPRECATED,
    ENTRY,
    FOLDER,
    HAS_MEMBER,
    LINK,
    RPLC,
    SET,
    SIGNS,
    SNAPSHOT,
    XFRM,
    XFRM_RPLC,
    Plan,
    Revision,
    Thing,
    World,
)

EXAMPLES = int(os.environ.get("PORTOLAN_MODEL_EXAMPLES", "20"))
STEPS = int(os.environ.get("PORTOLAN_MODEL_STEPS", "25"))
STORY = "PORTOLAN_MODEL_STORY" in os.environ
SHRINK = int(os.environ.get("PORTOLAN_MODEL_SHRINK", "0"))
LOCALS = ("NGH1^^^&2.999.826.4.1&ISO", "NGH2^^^&2.999.826.4.1&ISO")
RELATIONS = (RPLC, RPLC, APND, XFRM, XFRM_RPLC, SIGNS, SNAPSHOT)
HAPPENS = ("submission", "submission, refused", "update", "update, refused", "Association", "Association, refused",
           "removal", "removal, refused", "purge", "merge", "merge, refused", "link change")  # fmt: skip


class Life(RuleBasedStateMachine):
    """One life of some patients' documents; they are new ones in every example, in the same database."""

    database: Database
    counts: Counter[str]
    gone: set[str]

    def __init__(self) -> None:
        super().__init__()
        start, numbers = uuid.uuid4().int >> 64 << 64, itertools.count(1)
        self.new_id = lambda: f"urn:uuid:{uuid.UUID(int=start + next(numbers), version=4)}"
        self.uid = lambda: f"2.25.{start + next(numbers)}"
        self.world = World()
        self.real = Reality(self.database, self.new_id)
        self.patients = [a_patient_id() for _ in range(4)]
        self.story: list[str] = []
        self.sent: list[tuple[Plan, bytes, str, bool]] = []
        self.removed: list[str] = []

    # Choices.

    def patient(self, dice: Random) -> str:
        """Mostly the first one, so that things meet."""
        return self.patients[dice.choice((0, 0, 0, 1, 1, 2, 3))]

    def some(self, dice: Random, kind: str, *, patient: str = "", gone: bool = True) -> str | None:
        """A thing's name: mostly of something current of the patient, now and then of something else."""
        things = self.world.of(kind)
        if kind == LINK and dice.randint(0, 3):
            things = [each for each in things if self.world.kind(each.source) != SET]
        near = [each for each in things if each.is_current and each.patient == (patient or each.patient)]
        names = [each.name for each in (near if dice.randint(0, 7) else things)]
        names += self.removed[-1:] if gone and dice.randint(0, 15) == 0 else []
        return names[dice.randint(0, len(names) - 1)] if names else None

    def owner(self, patient: str) -> Thing:
        return Thing(self.new_id(), SET, patient, self.uid())

    def document(self, dice: Random, patient: str, *, on_demand: bool = False) -> Thing:
        """A new entry; now and then with a known uniqueId, whose content may be another one."""
        name, unique_id = self.new_id(), self.uid()
        content = "" if on_demand else unique_id
        known = [each for each, (kind, hash_) in self.world.contents.items() if bool(hash_) != on_demand]
        if known and dice.randint(0, 15) == 0:
            unique_id = known[dice.randint(0, len(known) - 1)]
            content = self.world.contents[unique_id][1]
            if not on_demand and dice.randint(0, 2) == 0:
                content += "*"
        local = LOCALS[dice.randint(0, 1)]
        return Thing(name, ENTRY, patient, unique_id, title="first", local=local, hash=content, on_demand=on_demand)

    def same(self, told: set[str], expected: set[str], what: str, *of: object) -> bool:
        """Whether the Registry decided as the model; whether it carried the thing out."""
        self.tell(what, *of, sorted(told))
        assert bool(told) == bool(expected), f"{what}: the registry says {told or 'Success'}, the model {expected}"
        assert told <= expected, f"{what}: the registry says {told}, the model {expected}"
        self.counts[f"{what}{', refused' if told else ''}"] += 1
        return not told

    def agreed(self, told: bool, expected: bool, what: str, *of: object) -> None:
        """The same for what a feed or an administrator asks for."""
        self.tell(what, *of, told)
        assert told == expected, f"{what}: the registry says {told}, the model {expected}"
        self.counts[f"{what}{'' if told else ', refused'}"] += 1

    def tell(self, *what: object) -> None:
        """Write into the story of this life, which a failure tells; names are cut to their last digits."""
        told = re.sub(r"urn:uuid:[0-9a-f-]*(...)\b|2\.25\.\d*(\d{4})|\d{6}(\d{4})\^\^\^[^']*", r"\1\2\3", repr(what))
        self.story.append(told)
        if STORY:
            print(told)

    def learn(self, *patients: str) -> None:
        """What the registry has made by itself gets the names it was given."""
        self.world.adopt(thing for patient in set(patients) for thing in self.real.everything(patient, 2))

    # What happens.

    @initialize(seed=st.integers(0, 2**64))
    def begin(self, seed: int) -> None:
        """Some documents that the rest of the life is about."""
        dice = Random(seed)
        for _ in range(3):
            self.submit(dice)

    @rule(seed=st.integers(0, 2**64))
    def step(self, seed: int) -> None:
        """One thing of all that may happen; everything about it is decided by the seed."""
        dice = Random(seed)
        dice.choices(*zip(*self.happenings(), strict=True))[0](dice)  # type: ignore[misc]

    def happenings(self) -> list[tuple[Callable[[Random], None], int]]:
        """What may happen, and how often; a merge takes a patient away, and so is rare."""
        return [
            (self.submit, 6), (self.submit_again, 1), (self.revise, 6), (self.change_status, 4), (self.associate, 5),
            (self.remove, 3), (self.purge, 2), (self.hold, 1), (self.lift, 1), (self.merge, 1), (self.unmerge, 1),
            (self.relink, 3), (self.ask, 2),
        ]  # fmt: skip

    def submit(self, dice: Random) -> None:
        """ITI-42, or ITI-61."""
        count, folders, on_demand = dice.randint(0, 3), dice.randint(0, 1), dice.choice((0, 0, 0, 1))
        patient = self.patient(dice)
        plan = Plan(self.owner(patient))
        entries = [self.document(dice, patient, on_demand=bool(on_demand)) for _ in range(count + on_demand)]
        made = [Thing(self.new_id(), FOLDER, patient, self.uid(), title="first") for _ in range(folders)]
        plan.items = [*entries, *made]
        uids = [each.unique_id for each in plan.items]
        if len(set(uids)) < len(uids) or not plan.items:
            return
        for item in entries:
            target = self.some(dice, ENTRY, patient=patient)
            if target and dice.randint(0, 1):
                plan.links.append((dice.choice(RELATIONS), item.name, target))
        for folder in (*(each.name for each in made), self.some(dice, FOLDER, patient=patient)):
            choices = [*(each.name for each in entries), self.some(dice, ENTRY, patient=patient)]
            member = choices[dice.randint(0, len(choices) - 1)]
            if folder and member and dice.randint(0, 1):
                plan.links.append((HAS_MEMBER, folder, member))
        other = self.some(dice, ENTRY)
        if other and dice.randint(0, 4) == 0:
            plan.included.append(other)
        message, sent = self.new_id(), submit_objects(as_submission(plan))
        self.sent.append((plan, sent, message, bool(on_demand)))
        told = self.real.submit(sent, message, on_demand=bool(on_demand))
        if self.same(
            told,
            self.world.submit(plan),
            "submission",
            patient,
            [(e.kind, e.name, e.on_demand, e.local[:4]) for e in plan.items],
            plan.links,
            plan.included,
        ):
            self.learn(patient)

    def submit_again(self, dice: Random) -> None:
        """The same message gets its answer again; as a new message it finds its names taken, and changes nothing."""
        if not self.sent:
            return
        same_message = dice.choice((True, False))
        plan, sent, message, on_demand = self.sent[dice.randint(0, len(self.sent) - 1)]
        told = self.real.submit(sent, message if same_message else self.new_id(), on_demand=on_demand)
        if plan.owner.name in self.world.things and same_message:
            assert not told
        elif plan.owner.unique_id in self.world.contents:
            assert "XDSDuplicateUniqueIdInRegistry" in told
        elif self.same(told, self.world.submit(plan), "late submission", plan.owner.patient):
            self.learn(plan.owner.patient)

    def revision(self, dice: Random, kind: str, patient: str) -> Revision | None:
        name = self.some(dice, kind, patient=patient, gone=False)
        if name is None:
            return None
        old = self.world.things[name]
        latest = self.world.latest(kind, old.lid)
        previous = latest.version if latest else old.version
        previous = dice.choice((previous, previous, previous, previous, previous + 1))
        title = f"title {dice.randint(0, 9)}"
        item = replace(old, name=self.new_id(), patient=patient, title=title, status=APPROVED, latest=True, shown=True)
        item.filed_under = None
        return Revision(item, previous, dice.randint(0, 3) > 0)

    def revise(self, dice: Random) -> None:
        """ITI-57 or ITI-92."""
        kinds = dice.choice(((ENTRY,), (ENTRY,), (FOLDER,), (ENTRY, FOLDER), (ENTRY, ENTRY)))
        patient = self.patient(dice)
        asked = [each for each in (self.revision(dice, kind, patient) for kind in kinds) if each]
        unique_ids = {each.item.unique_id for each in asked}
        if not asked or len(unique_ids) < len(asked):
            return
        restricted = kinds == (ENTRY,) and dice.randint(0, 1)
        owner = self.owner(patient)
        told = self.real.revise(owner, asked, restricted=restricted)
        if self.same(
            told,
            self.world.revise(owner, asked, restricted=restricted),
            "update",
            patient,
            restricted,
            asked,
        ):
            self.learn(patient)

    def change_status(self, dice: Random) -> None:
        """ITI-57."""
        kind = dice.choice((ENTRY, ENTRY, FOLDER, LINK, LINK, SET))
        name = self.some(dice, kind)
        if name is None:
            return
        thing = self.world.things.get(name)
        # Mostly of its own patient, from the status that it has.
        patient = thing.patient if thing and dice.randint(0, 5) else self.patient(dice)
        before = thing.status if thing and dice.randint(0, 5) else APPROVED
        after = DEPRECATED if before == APPROVED else APPROVED
        owner = self.owner(patient)
        told = self.real.change_status(owner, name, before, after)
        if self.same(
            told, self.world.change_status(owner, name, before, after), f"status of {kind}", patient, name, before
        ):
            self.learn(patient)

    def associate(self, dice: Random) -> None:
        """ITI-57."""
        type_ = dice.choice((*RELATIONS, HAS_MEMBER, HAS_MEMBER))
        patient = self.patient(dice)
        source = self.some(dice, FOLDER if type_ == HAS_MEMBER else ENTRY, patient=patient)
        target = self.some(dice, ENTRY, patient=patient)
        if source is None or target is None:
            return
        owner = self.owner(patient)
        told = self.real.associate(owner, type_, source, target)
        if self.same(
            told, self.world.associate(owner, type_, source, target), "Association", patient, type_, source, target
        ):
            self.learn(patient)

    def remove(self, dice: Random) -> None:
        """ITI-62 of something with all that hangs on it; or with a thing too few or too many, or alone."""
        kind, whole = dice.choice((ENTRY, ENTRY, FOLDER, SET, LINK)), dice.randint(0, 5)
        name = self.some(dice, kind)
        if name is None:
            return
        names = self.world.whole([name]) if whole and name in self.world.things else [name]
        if whole == 1:
            names.pop(dice.randint(0, len(names) - 1))
        if whole == 2 and (more := self.some(dice, dice.choice((ENTRY, FOLDER, LINK, SET)))):
            names = list(dict.fromkeys([*names, more]))
        if not names:
            return
        if self.same(self.real.remove(names), self.world.remove(names), "removal", kind, name, names):
            self.removed += names
            self.gone.update(names)

    def purge(self, dice: Random) -> None:
        """What is old goes whole; sometimes something else happens between the plan and its confirmation."""
        patient = self.patient(dice)
        plan, planned = self.real.plan_purge(patient)
        assert planned == self.world.may_go(patient)
        between = dice.randint(0, 1)
        if between:
            dice.choice((self.submit, self.revise, self.associate, self.remove, self.hold, self.relink))(dice)
        still = planned & self.world.things.keys()
        allowed = still & self.world.may_go(patient)
        self.real.bytes_removed.clear()
        counts = self.real.run_purge(plan)
        left = {each.name for patient in self.patients for each in self.real.everything(patient, 2)}
        gone = still - left
        self.tell("purge", patient, sorted(planned), sorted(gone), counts)
        assert gone <= allowed
        going = self.world.unwrapped(gone)
        if not between:
            # All of it, or nothing where the Registry refuses, as for a SubmissionSet of a patient who is on hold.
            going = self.world.unwrapped(planned)
            assert bool(gone) == (bool(planned) and not deepcopy(self.world).remove(going))
            assert gone in (planned, set())
            going = going if gone else set()
        if gone:
            assert not self.world.remove(going)
            self.counts["purge"] += 1
            self.removed += sorted(going)
            self.gone.update(going)
        kept = {each.unique_id for each in self.world.of(ENTRY)}
        assert not kept & self.real.bytes_removed, "bytes are gone that an entry points at"

    def hold(self, dice: Random) -> None:
        """On a document, or on a patient."""
        of_patient = dice.randint(0, 3)
        name = self.some(dice, ENTRY, gone=False)
        if name is None or len(self.world.holds) > 1:
            return
        thing, hold_id = self.world.things[name], self.new_id()
        self.real.hold(hold_id, thing.patient, None if of_patient == 0 else thing.unique_id)
        self.world.holds[hold_id] = thing.patient if of_patient == 0 else thing.unique_id

    def lift(self, _: Random) -> None:
        """The oldest hold ends."""
        for hold_id in list(self.world.holds)[:1]:
            self.real.lift(hold_id)
            del self.world.holds[hold_id]

    def merge(self, dice: Random) -> None:
        """ITI-8, A40; now and then one that was there already."""
        again = dice.randint(0, 4)
        subsumed, survivor, message = self.patient(dice), self.patient(dice), self.new_id()
        if again == 0 and self.world.merges:
            subsumed, survivor, message = self.world.merges[-1]
        told = self.real.merge(subsumed, survivor, message)
        self.agreed(told, self.world.merge(subsumed, survivor, message), "merge", subsumed, survivor)

    def unmerge(self, dice: Random) -> None:
        """By an administrator."""
        if not self.world.merges:
            return
        subsumed = self.world.merges[dice.randint(0, len(self.world.merges) - 1)][0]
        told = self.real.unmerge(subsumed)
        self.agreed(told, self.world.unmerge(subsumed), "undone merge", subsumed)

    def relink(self, dice: Random) -> None:
        """ITI-64."""
        moving, renamed = dice.choice(LOCALS), dice.randint(0, 3)
        old, new = self.patient(dice), self.patient(dice)
        local = LOCALS[1 - LOCALS.index(moving)] if renamed == 0 else moving
        told = self.real.relink(old, new, moving, local)
        self.agreed(told, self.world.relink(old, new, moving, local), "link change", old, new, moving[:4], local[:4])
        self.learn(old, new)

    # What is seen.

    @invariant()
    def everything_is_as_the_model_has_it(self) -> None:
        for patient in self.patients:
            for level in (2, 1):
                seen = {each.name: facts(each) for each in self.real.everything(patient, level)}
                expected = {each.name: facts(each) for each in self.visible(patient, level)}
                assert seen == expected, difference(patient, level, seen, expected)

    def visible(self, patient: str, level: int) -> list[Thing]:
        """What GetAll finds: at level 1 no old versions, no deprecated Folders and Associations."""
        own = [each for each in self.world.things.values() if each.kind != LINK and each.patient == patient]
        own = [each for each in own if level == 2 or self.shown(each)]
        names = {each.name for each in own}
        links = self.world.links(approved=level == 1)
        return own + [each for each in links if {each.source, each.target} & names]

    @staticmethod
    def shown(each: Thing) -> bool:
        return each.kind == SET or (each.is_current if each.kind == FOLDER else each.shown)

    def ask(self, dice: Random) -> None:
        """The other queries find what the model says they do."""
        patient = self.patient(dice)
        slots = {"$XDSDocumentEntryPatientId": f"'{patient}'", "$XDSDocumentEntryStatus": f"('{URN}Approved')"}
        expected = {each.name for each in self.world.of(ENTRY)
                    if each.patient == patient and each.is_current and not each.on_demand}  # fmt: skip
        assert self.real.ids("FindDocuments", slots) == expected
        level = dice.choice((1, 2))
        asked = {"$MetadataLevel": str(level), "$XDSDocumentEntryType": ANY_TYPE}
        if name := self.some(dice, ENTRY):
            types = ",".join(f"'{TYPE}{each}'" for each in ("RPLC", "APND", "XFRM", "XFRM_RPLC"))
            asked_of = asked | {"$XDSDocumentEntryEntryUUID": f"'{name}'", "$AssociationTypes": f"({types})"}
            assert self.real.ids("GetRelatedDocuments", asked_of) == self.related(name, level)
        if name := self.some(dice, FOLDER):
            asked_of = asked | {"$XDSFolderEntryUUID": f"'{name}'"}
            assert self.real.ids("GetFolderAndContents", asked_of) == self.inside(name, level)
        if name := self.some(dice, SET):
            asked_of = asked | {"$XDSSubmissionSetEntryUUID": f"'{name}'"}
            assert self.real.ids("GetSubmissionSetAndContents", asked_of) == self.submitted(name, level)

    def related(self, name: str, level: int) -> set[str]:
        seen = {each.name for each in self.world.of(ENTRY) if level == 2 or each.shown}
        links = [each for each in self.world.links() if name in (each.source, each.target)]
        links = [each for each in links if each.type in (RPLC, APND, XFRM, XFRM_RPLC)]
        links = [each for each in links if {each.source, each.target} <= seen]
        return {name for each in links for name in (each.name, each.source, each.target)}

    def inside(self, name: str, level: int) -> set[str]:
        folder = self.world.things.get(name)
        if folder is None or folder.kind != FOLDER or (level == 1 and not self.shown(folder)):
            return set()
        members = self.world.links(HAS_MEMBER, source=name)
        members = [each for each in members if level == 2 or self.shown(self.world.things[each.target])]
        return {name} | {found for each in members for found in (each.name, each.target)}

    def submitted(self, name: str, level: int) -> set[str]:
        if self.world.kind(name) != SET:
            return set()
        members = self.world.links(HAS_MEMBER, source=name)
        found = {each.target for each in members if self.world.kind(each.target) != LINK}
        found = {each for each in found if level == 2 or self.shown(self.world.things[each])} | {name}
        links = {each.target for each in members if self.world.kind(each.target) == LINK}
        for link in (self.world.things[each] for each in links):
            if link.status == APPROVED and {link.source, link.target} <= found:
                found.add(link.name)
        return found | {each.name for each in members if each.target in found}


URN = "urn:oasis:names:tc:ebxml-regrep:StatusType:"
TYPE = "urn:ihe:iti:2007:AssociationType:"


def facts(thing: Thing) -> tuple[Any, ...]:
    """What two descriptions of one thing have to agree on."""
    if thing.kind == LINK:
        return (LINK, thing.type, thing.source, thing.target, thing.status)
    told = (thing.kind, thing.patient, thing.unique_id, thing.status)
    if thing.kind == SET:
        return told
    is_name = "." in thing.hash  # of a content; one that was read back is a SHA-1, and a name may be just as long
    digest = hashlib.sha1(thing.hash.encode()).hexdigest() if is_name else thing.hash
    return (*told, thing.lid, thing.version, thing.title, thing.local, thing.on_demand, digest)


def difference(patient: str, level: int, seen: dict[str, Any], expected: dict[str, Any]) -> str:
    """The two descriptions where they differ."""
    names = [name for name in {**seen, **expected} if seen.get(name) != expected.get(name)]
    lines = [f"{name}\n  seen  {seen.get(name)}\n  model {expected.get(name)}" for name in names[:6]]
    return f"GetAll of {patient} at level {level} differs in {len(names)}:\n" + "\n".join(lines)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database of either kind."""
    url = f"sqlite:///{tmp_path / 'registry.db'}"
    if request.param == "postgresql":
        make: Callable[[], str] = request.getfixturevalue("postgres_database")
        url = make()
    made = open_database(url, wait=30)
    upgrade(made)
    yield made
    made.close()


@pytest.mark.slow
def test_a_random_life_goes_as_the_model_says(database: Database) -> None:
    class Here(Life):
        pass

    Here.database, Here.counts, Here.gone = database, Counter(), set()
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Here,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            # A failing life is told as it was found: lives are long, and shrinking one takes many minutes.
            phases=[Phase.explicit, Phase.generate] + [Phase.shrink] * SHRINK,
            derandomize="PORTOLAN_MODEL_EXAMPLES" not in os.environ,
            suppress_health_check=list(HealthCheck),
        ),
    )
    print(f"\n{dict(sorted(Here.counts.items()))}")
    assert problems(database, Here.gone) == []
    assert all(Here.counts[each] for each in HAPPENS), "the lives were too short for everything to happen"
