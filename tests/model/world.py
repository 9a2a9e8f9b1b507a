"""A registry as plain values: what the standard says of submissions, updates, removals and merges, in simple Python.

Nothing of the product is used here. Each operation returns the codes that a refusal may have, which may be several;
an empty set means that the operation is good, and then it has been carried out. Whatever the registry names itself is
called ``?1``, ``?2`` … until ``adopt`` learns its name.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

ENTRY, FOLDER, SET, LINK = "entry", "folder", "set", "link"
APPROVED, DEPRECATED = "Approved", "Deprecated"
HAS_MEMBER, RPLC, XFRM, APND, XFRM_RPLC, SIGNS, SNAPSHOT = (
    "HAS_MEMBER", "RPLC", "XFRM", "APND", "XFRM_RPLC", "SIGNS", "IS_SNAPSHOT_OF",
)  # fmt: skip
REPLACING, DERIVING = {RPLC, XFRM_RPLC}, {XFRM, APND}
FINAL = {RPLC, XFRM_RPLC, SNAPSHOT}

UNRESOLVED, METADATA = "UnresolvedReferenceException", "XDSRegistryMetadataError"
OLD, PATIENT = "XDSRegistryDeprecatedDocumentError", "XDSPatientIdDoesNotMatch"
UNKNOWN_PATIENT, TAKEN = "XDSUnknownPatientId", "XDSDuplicateUniqueIdInRegistry"
OTHER_HASH, WRONG = "XDSNonIdenticalHash", "XDSMetadataUpdateError"
VERSION, RECONCILIATION = "XDSMetadataVersionError", "XDSPatientIDReconciliationError"
ANNOTATION, HELD = "XDSMetadataAnnotationError", "LocalPolicyRestrictionError"
REFERENCED, UNREFERENCED = "ReferencesExistException", "XDSUnreferencedObjectException"


@dataclass(repr=False)
class Thing:
    """Any registered object. ``shown`` is whether queries at $MetadataLevel 1 return this version."""

    name: str
    kind: str
    patient: str
    unique_id: str = ""
    status: str = APPROVED
    lid: str = ""
    version: int = 1
    latest: bool = True
    shown: bool = True
    on_demand: bool = False
    hash: str = ""
    local: str = ""
    title: str = ""
    type: str = ""
    source: str = ""
    target: str = ""
    filed_under: str | None = None

    def __repr__(self) -> str:
        """Short enough for a story."""
        return f"{self.kind} {self.name} ({self.lid}) {self.local[:4]}"

    @property
    def is_old(self) -> bool:
        """Whether the time for which it is kept is over: half of the documents are from long ago."""
        return not self.on_demand and int(self.unique_id[-1]) % 2 == 0

    @property
    def is_current(self) -> bool:
        """The latest version, and Approved."""
        return self.latest and self.status == APPROVED


@dataclass
class Plan:
    """A submission of new objects, with links by type, source and target; all memberships are filed in its set."""

    owner: Thing
    items: list[Thing] = field(default_factory=list)
    links: list[tuple[str, str, str]] = field(default_factory=list)
    included: list[str] = field(default_factory=list)


@dataclass
class Revision:
    """A new version of an entry or a Folder, as an update asks for it."""

    item: Thing
    previous: int
    propagates: bool = True


@dataclass
class World:
    """All that is registered."""

    things: dict[str, Thing] = field(default_factory=dict)
    contents: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Every uniqueId there ever was: the kind of its object, and its hash."""
    merges: list[tuple[str, str, str]] = field(default_factory=list)
    """Merges that stand: who was subsumed by whom, and the message that said so."""
    holds: dict[str, str] = field(default_factory=dict)
    _names: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    # What there is.

    def of(self, kind: str) -> list[Thing]:
        """All things of a kind, in the order in which they came."""
        return [each for each in self.things.values() if each.kind == kind]

    def links(self, type_: str = "", *, source: str = "", target: str = "", approved: bool = True) -> list[Thing]:
        """Associations by what they join."""
        return [
            each for each in self.of(LINK)
            if each.type == (type_ or each.type) and each.source == (source or each.source)
            and each.target == (target or each.target) and (each.status == APPROVED or not approved)
        ]  # fmt: skip

    def kind(self, name: str) -> str:
        """What a name stands for; nothing when it stands for nothing."""
        return self.things[name].kind if name in self.things else ""

    def latest(self, kind: str, lid: str) -> Thing | None:
        """The latest version of a logical object."""
        return next((each for each in self.of(kind) if each.lid == lid and each.latest), None)

    def survivor(self, patient: str) -> str | None:
        """Whom a patient was merged into."""
        return next((into for gone, into, _ in self.merges if gone == patient), None)

    def subsumed(self, patient: str) -> set[str]:
        """Everybody who was merged into a patient, however far down."""
        direct = {gone for gone, into, _ in self.merges if into == patient}
        return direct.union(*(self.subsumed(each) for each in direct))

    def holders(self, entry: str) -> list[Thing]:
        """The current Folders that an entry is in."""
        found = {link.source: self.things[link.source] for link in self.links(HAS_MEMBER, target=entry)}
        return [each for each in found.values() if each.kind == FOLDER and each.is_current]

    def is_held(self, thing: Thing) -> bool:
        """Whether a hold stands on a document, or on a patient under any of the ids that merges have made one."""
        ids = {thing.patient} | self.subsumed(thing.patient)
        return thing.kind != LINK and (thing.unique_id in self.holds.values() or bool(ids & set(self.holds.values())))

    # What is made.

    def _add(self, thing: Thing) -> Thing:
        thing.lid = thing.lid or thing.name
        self.things[thing.name] = thing
        if thing.unique_id:
            self.contents.setdefault(thing.unique_id, (thing.kind, thing.hash))
        return thing

    def _link(self, type_: str, source: str, target: str, patient: str) -> Thing:
        name = f"?{next(self._names)}"
        return self._add(Thing(name, LINK, patient, type=type_, source=source, target=target))

    def _member(self, folder: str, entry: str, owner: Thing) -> None:
        """A Folder's new member, filed in a SubmissionSet."""
        self._link(HAS_MEMBER, owner.name, self._link(HAS_MEMBER, folder, entry, owner.patient).name, owner.patient)

    def _replaced(self, old: str, new: str, owner: Thing, joined: Iterable[tuple[str, str]] = ()) -> None:
        """The target is deprecated with all that derives from it; its Folders get the successor."""
        for folder in self.holders(old):
            if (folder.name, new) not in joined:
                self._member(folder.name, new, owner)
        gone = [old]
        for name in gone:
            self.things[name].status = DEPRECATED
            derived = [link.source for type_ in DERIVING for link in self.links(type_, target=name)]
            gone += [each for each in derived if self.things[each].status == APPROVED and each not in gone]

    # ITI-42 and ITI-61.

    def submit(self, plan: Plan) -> set[str]:
        """New objects."""
        owner, own = plan.owner, {each.name: each for each in plan.items}
        codes: set[str] = {UNKNOWN_PATIENT} if self.survivor(owner.patient) else set()
        for item in (owner, *plan.items):
            kind, hash_ = self.contents.get(item.unique_id, ("", ""))
            if kind and (item.kind != ENTRY or kind != ENTRY):
                codes.add(TAKEN)
            elif kind and item.on_demand and hash_:
                codes.add(METADATA)
            elif kind and not item.on_demand and hash_ != item.hash:
                codes |= {OTHER_HASH, "XDSNonIdenticalSize"}
        for name in plan.included:
            codes |= set() if self.kind(name) == ENTRY else {UNRESOLVED, METADATA}
        for type_, source, target in plan.links:
            ends = [own.get(name) or self.things.get(name) for name in (source, target)]
            codes |= self._unfit(type_, *ends)
            if type_ in FINAL and target in own:
                codes.add(UNRESOLVED)
            if type_ == APND and self.links(XFRM, source=target):
                codes.add(METADATA)
        targets = [target for type_, _, target in plan.links if type_ in REPLACING]
        codes |= {METADATA} if len(set(targets)) < len(targets) else set()
        if codes:
            return codes
        for item in (owner, *plan.items):
            self._add(item)
        for name in (*own, *plan.included):
            self._link(HAS_MEMBER, owner.name, name, owner.patient)
        joined = [(source, target) for type_, source, target in plan.links if type_ == HAS_MEMBER]
        for type_, source, target in plan.links:
            if type_ in REPLACING:
                self._replaced(target, source, owner, joined)
        for type_, source, target in plan.links:
            if type_ == HAS_MEMBER:
                self._member(source, target, owner)
            else:
                self._link(type_, source, target, owner.patient)
        return set()

    @staticmethod
    def _unfit(type_: str, source: Thing | None, target: Thing | None) -> set[str]:
        """Why a submission cannot join two things."""
        if source is None or target is None or target.kind != ENTRY:
            return {UNRESOLVED, METADATA}
        codes = {PATIENT} if source.patient != target.patient else set()
        if target.status == DEPRECATED:
            codes.add(OLD)
        if type_ == HAS_MEMBER and (source.kind != FOLDER or source.status == DEPRECATED):
            codes.add(METADATA)
        if source is target or (type_ == SNAPSHOT and not target.on_demand):
            codes.add(METADATA)
        return codes

    # ITI-57 and ITI-92.

    def ties(self, name: str) -> list[Thing]:
        """The Approved Associations of a latest version with other latest versions, but for its filing."""
        found = [each for each in self.links() if name in (each.source, each.target)]
        ends = [(self.things[each.source], self.things[each.target]) for each in found]
        return [
            each for each, (source, target) in zip(found, ends, strict=True)
            if source.kind != SET and source.latest and target.latest
        ]  # fmt: skip

    def revise(self, owner: Thing, revisions: list[Revision], *, restricted: bool) -> set[str]:
        """New versions."""
        merged = RECONCILIATION if restricted else UNKNOWN_PATIENT
        codes: set[str] = {merged} if self.survivor(owner.patient) else set()
        moved: dict[str, Revision] = {}
        for each in revisions:
            before = self.latest(each.item.kind, each.item.lid)
            if before is None or before.version != each.previous:
                codes.add(VERSION)
            if before is not None:
                moved[before.name] = each
                if not restricted and before.status == DEPRECATED:
                    codes.add(WRONG)
                if restricted and before.patient != owner.patient:
                    codes.add(RECONCILIATION)
                if restricted and before.local != each.item.local:
                    codes.add("UnmodifiableMetadataError")
            if restricted and not each.propagates:
                codes.add(ANNOTATION)
        successor = {old: each.item.name for old, each in moved.items() if each.propagates}
        ties = list({tie.name: tie for name in successor for tie in self.ties(name)}.values())
        for tie in ties:
            patients = {owner.patient if end in successor else self.things[end].patient
                        for end in (tie.source, tie.target)}  # fmt: skip
            codes |= {RECONCILIATION} if len(patients) > 1 else set()
        if codes:
            return codes
        self._add(owner)
        for old, each in moved.items():
            before = self.things[old]
            status = before.status if restricted else APPROVED
            self._add(replace(each.item, version=before.version + 1, status=status, hash=before.hash))
            before.status, before.latest, before.shown = DEPRECATED, False, False
            self._link(HAS_MEMBER, owner.name, each.item.name, owner.patient)
        for tie in ties:
            ends = (successor.get(tie.source, tie.source), successor.get(tie.target, tie.target))
            if tie.type == HAS_MEMBER:
                self._member(*ends, owner)
            else:
                self._link(tie.type, *ends, owner.patient)
        return set()

    def change_status(self, owner: Thing, name: str, before: str, after: str) -> set[str]:
        """Another availabilityStatus for one object."""
        codes: set[str] = {UNKNOWN_PATIENT} if self.survivor(owner.patient) else set()
        thing = self.things.get(name)
        if thing is None:
            return codes | {UNRESOLVED, WRONG}
        filing = thing.type == HAS_MEMBER and self.kind(thing.source) == SET
        if thing.kind == SET or filing or not thing.latest or thing.status != before:
            codes.add(WRONG)
        if after == APPROVED and self._rivals(thing):
            codes.add(WRONG)
        if thing.patient != owner.patient:
            codes.add(RECONCILIATION)
        if codes:
            return codes
        self._add(owner)
        thing.status = after
        if after == APPROVED and thing.type in REPLACING and self.things[thing.source].is_current:
            self._replaced(thing.target, thing.source, owner)
        return set()

    def _rivals(self, thing: Thing) -> set[str]:
        """What else would be current of one letter, if a document were, or a replacement counted again."""
        links = [link for link in self.links() if link.type in REPLACING]
        replaces = thing.type in REPLACING and self.things[thing.source].is_current
        if thing.kind != ENTRY and not replaces:
            return set()
        name = thing.target if replaces else thing.name
        chain = [name]
        for each in chain:
            chain += [link.target for link in links if link.source == each and link.target not in chain]
        for each in chain:
            chain += [link.source for link in links if link.target == each and link.source not in chain]
        return {each for each in chain if self.things[each].status == APPROVED} - {name, thing.source}

    def associate(self, owner: Thing, type_: str, source: str, target: str) -> set[str]:
        """An Association by itself."""
        codes: set[str] = {UNKNOWN_PATIENT} if self.survivor(owner.patient) else set()
        first, second = self.things.get(source), self.things.get(target)
        if first is None or second is None:
            codes |= {METADATA} if source == target or type_ == SNAPSHOT else set()
            return codes | {UNRESOLVED, WRONG, RECONCILIATION}
        wanted = FOLDER if type_ == HAS_MEMBER else ENTRY
        if (first.kind, second.kind) != (wanted, ENTRY) or not (first.is_current and second.is_current):
            codes |= {WRONG}
        if len({first.patient, second.patient, owner.patient}) > 1:
            codes.add(RECONCILIATION)
        codes |= {METADATA} if first is second else set()
        if self.links(source=source, target=target) or self.links(source=target, target=source):
            codes.add(WRONG)
        if type_ == SNAPSHOT and (first.on_demand or not second.on_demand):
            codes |= {WRONG, METADATA}
        if type_ == APND and self.links(XFRM, source=target):
            codes.add(METADATA)
        if codes:
            return codes
        self._add(owner)
        link = self._link(type_, source, target, owner.patient)
        self._link(HAS_MEMBER, owner.name, link.name, owner.patient)
        if type_ in REPLACING:
            self._replaced(target, source, owner)
        return set()

    # ITI-62.

    def remove(self, names: Iterable[str]) -> set[str]:
        """Everything that is listed."""
        going = set(names)
        codes: set[str] = {UNRESOLVED} if going - self.things.keys() else set()
        staying = [link for link in self.of(LINK) if link.name not in going]
        if any(link.source in going or link.target in going for link in staying):
            codes.add(REFERENCED)
        filed = {link.target for link in staying if self.kind(link.source) == SET}
        holding = {link.source for link in staying if link.type == HAS_MEMBER}
        for name in going & self.things.keys():
            thing = self.things[name]
            filing = thing.kind == LINK and self.kind(thing.source) == SET
            if filing and (thing.target not in going | filed or thing.source not in going | holding):
                codes.add(UNREFERENCED)
            if self.is_held(thing):
                codes.add(HELD)
        if codes:
            return codes
        gone = [self.things.pop(name) for name in going]
        for thing in gone:
            if thing.kind in (ENTRY, FOLDER) and thing.latest:
                left = [each for each in self.of(thing.kind) if each.lid == thing.lid]
                for each in sorted(left, key=lambda each: each.version)[-1:]:
                    each.latest = each.shown = True
        return set()

    def whole(self, names: Iterable[str]) -> list[str]:
        """What has to be listed so that some things can go: what refers to them, and sets that would be empty."""
        going = set(names)
        while True:
            before = len(going)
            going |= {link.name for link in self.of(LINK) if link.source in going or link.target in going}
            for owner in self.of(SET):
                members = {link.name for link in self.links(HAS_MEMBER, source=owner.name, approved=False)}
                if members and members <= going:
                    going.add(owner.name)
            if len(going) == before:
                return [name for name in self.things if name in going]

    # Retention.

    def may_go(self, patient: str) -> set[str]:
        """A patient's entries whose time is over, and that of all that belongs with them; nothing that is held."""
        entries = [each for each in self.of(ENTRY) if each.patient == patient]
        family = {each.name: {each.name} for each in entries}
        same = [(one.name, other.name) for one, other in itertools.combinations(entries, 2)
                if one.lid == other.lid or one.unique_id == other.unique_id]  # fmt: skip
        related = [(link.source, link.target) for link in self.links(approved=False) if link.type != HAS_MEMBER]
        for one, other in (*same, *related):
            if one in family and other in family:
                joined = family[one] | family[other]
                family.update(dict.fromkeys(joined, joined))
        stays = {each.name for each in entries if not each.is_old or self.is_held(each)}
        return {name for name, others in family.items() if not others & stays}

    def unwrapped(self, names: Iterable[str]) -> set[str]:
        """What goes with some entries: what refers to them, and the sets and Folders that they leave empty."""
        going = set(names)
        members = self.links(HAS_MEMBER, approved=False)
        while True:
            before = len(going)
            going |= {link.name for link in self.of(LINK) if link.source in going or link.target in going}
            left = {link.source for link in members if link.name not in going}
            going |= {link.source for link in members if link.name in going} - left
            if len(going) == before:
                return going

    # Patients.

    def merge(self, subsumed: str, survivor: str, message: str) -> bool:
        """Whether two patients can be merged; the same message again changes nothing."""
        if (subsumed, survivor, message) in self.merges:
            return True
        if subsumed == survivor or self.survivor(subsumed) or self.survivor(survivor):
            return False
        for each in self.things.values():
            if each.patient == subsumed:
                each.patient, each.filed_under = survivor, each.filed_under or subsumed
        self.merges.append((subsumed, survivor, message))
        return True

    def unmerge(self, subsumed: str) -> bool:
        """Whether a merge can be undone: nothing that came later depends on it."""
        survivor = self.survivor(subsumed)
        if survivor is None or self.survivor(survivor):
            return False
        ids = {subsumed} | self.subsumed(subsumed)
        moving = {name: each for name, each in self.things.items()
                  if each.patient == survivor and each.filed_under in ids}  # fmt: skip
        for each in moving.values():
            later = [other for other in self.things.values() if other.lid == each.lid and other.kind == each.kind]
            if not each.latest and any(o.patient == survivor and o.name not in moving for o in later):
                return False
        for link in self.of(LINK):
            goes = [name in moving for name in (link.name, link.source, link.target)]
            inclusion = self.kind(link.source) == SET and self.kind(link.target) == ENTRY
            if any(goes) and not all(goes) and not inclusion:
                return False
        for each in moving.values():
            each.patient = subsumed
            each.filed_under = None if each.filed_under == subsumed else each.filed_under
        self.merges = [each for each in self.merges if each[0] != subsumed]
        return True

    def relink(self, old: str, new: str, moving: str, local: str) -> bool:
        """Whether the documents of a local id can move to another patient; then they have."""
        if (old, moving) == (new, local) or self.survivor(old) or self.survivor(new):
            return False
        going = {each.name: each for each in self.of(ENTRY)
                 if each.patient == old and each.is_current and each.local == moving}  # fmt: skip
        if not going:
            return True
        links = {tie.name: tie for name in going for tie in self.ties(name) if tie.type != HAS_MEMBER}
        members: dict[str, set[str]] = {}
        for folder in {holder.name: holder for name in going for holder in self.holders(name)}:
            held = {link.target for link in self.links(HAS_MEMBER, source=folder)}
            members[folder] = {name for name in held if self.things[name].status == APPROVED}
        if old != new:
            ends = {end for tie in links.values() for end in (tie.source, tie.target)}
            if any(self.things[end].status == APPROVED for end in ends - going.keys()):
                return False
            if any(held - going.keys() for held in members.values()):
                return False
        owner = self._add(Thing(f"?{next(self._names)}", SET, new))
        moved = [*going.values(), *(self.things[name] for name in members if old != new)]
        successor: dict[str, str] = {}
        for each in moved:
            made = replace(each, name=f"?{next(self._names)}", version=each.version + 1, patient=new, filed_under=None)
            if made.kind == ENTRY:
                made.local = local
            successor[each.name] = self._add(made).name
            self._link(HAS_MEMBER, owner.name, made.name, new)
            each.status, each.latest, each.shown = DEPRECATED, False, each.kind == ENTRY
        for tie in links.values():
            if old == new or {tie.source, tie.target} <= going.keys():
                self._link(tie.type, *(successor.get(end, end) for end in (tie.source, tie.target)), new)
        for folder, held in members.items():
            for name in held & going.keys():
                self._member(successor.get(folder, folder), successor[name], owner)
        return True

    # What is seen.

    def adopt(self, seen: Iterable[Thing]) -> None:
        """Learn the names that the registry gave, by what they were given to."""
        unknown = [each for each in seen if each.name not in self.things]
        keys: tuple[tuple[str, Callable[[Thing], object]], ...] = (
            (ENTRY, lambda each: (each.lid, each.version)),
            (FOLDER, lambda each: (each.lid, each.version)),
            (SET, lambda each: each.patient),
            (LINK, lambda each: (each.type, each.source, each.target)),
            (LINK, lambda each: (each.type, each.source, each.target)),
        )
        for kind, key in keys:
            names: dict[object, list[Thing]] = {}
            for each in unknown:
                if each.kind == kind:
                    names.setdefault(key(each), []).append(each)
            renamed = {}
            for each in self.of(kind):
                if each.name.startswith("?") and names.get(key(each)):
                    found = names[key(each)].pop()
                    unknown.remove(found)
                    renamed[each.name] = found.name
                    each.unique_id = each.unique_id or found.unique_id
                    each.lid = found.name if each.lid == each.name else each.lid
                    each.name = found.name
                    if each.unique_id:
                        self.contents.setdefault(each.unique_id, (kind, each.hash))
            self.things = {each.name: each for each in self.things.values()}
            for link in self.of(LINK):
                link.source, link.target = (renamed.get(end, end) for end in (link.source, link.target))
