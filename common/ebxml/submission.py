"""Reads and writes a SubmitObjectsRequest, the body of ITI-42, 57, 61 and 92 and the heart of ITI-41."""

from __future__ import annotations

from lxml import etree

from common.ebxml import names as n
from common.ebxml.fragments import element
from common.ebxml.objects import Element, object_id, read_association, read_entry, read_package
from common.model import Flaw, Submission, SubmissionSet
from common.standard.identifiers import LCM, RIM


def object_list(request: Element) -> Element | None:
    """The RegistryObjectList of a SubmitObjectsRequest."""
    return request.find(n.REGISTRY_OBJECT_LIST)


def _nodes_beside(objects: Element) -> dict[str, set[str]]:
    """Classifications that stand beside the package they classify, by its id (ITI TF-3 4.2.1.2)."""
    found: dict[str, set[str]] = {}
    for child in objects:
        if child.tag == n.CLASSIFICATION:
            node = object_id(child.get("classificationNode", ""))
            found.setdefault(object_id(child.get("classifiedObject", "")), set()).add(node)
    return found


def read_submission(request: Element) -> Submission:
    """The objects of a SubmitObjectsRequest, and the flaws met on the way."""
    submission = Submission()
    objects = object_list(request)
    if objects is None:
        submission.flaws.append(Flaw("", "the SubmitObjectsRequest has no RegistryObjectList"))
        return submission
    if len(request.findall(n.REGISTRY_OBJECT_LIST)) > 1:
        submission.flaws.append(Flaw("", "the SubmitObjectsRequest has more than one RegistryObjectList"))
    nodes = _nodes_beside(objects)
    for child in objects:
        _add(submission, child, nodes)
    return submission


def write_submission(submission: Submission) -> bytes:
    """``lcm:SubmitObjectsRequest``."""
    objects = b"".join(element(item) for item in submission.objects())
    head = f'<lcm:SubmitObjectsRequest xmlns:lcm="{LCM}" xmlns:rim="{RIM}"><rim:RegistryObjectList>'.encode()
    return head + objects + b"</rim:RegistryObjectList></lcm:SubmitObjectsRequest>"


def _add(submission: Submission, child: Element, nodes: dict[str, set[str]]) -> None:
    flaws = submission.flaws
    if child.tag == n.EXTRINSIC_OBJECT:
        submission.entries.append(read_entry(child, flaws))
    elif child.tag == n.ASSOCIATION:
        if association := read_association(child, flaws):
            submission.associations.append(association)
    elif child.tag == n.REGISTRY_PACKAGE:
        package = read_package(child, nodes.get(object_id(child.get("id", "")), set()), flaws)
        if isinstance(package, SubmissionSet):
            submission.submission_sets.append(package)
        elif package is not None:
            submission.folders.append(package)
    elif child.tag not in (n.CLASSIFICATION, n.OBJECT_REF):
        name = etree.QName(child).localname[:80]
        flaws.append(Flaw(child.get("id", ""), f"a {name!r} cannot be registered"))
