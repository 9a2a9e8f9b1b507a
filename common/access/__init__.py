"""Who may see what: one decision, in one function over plain values. Nothing here reads anything."""

from common.access.case import Standing, standing
from common.access.deciding import Decision, Step, decide, explain, judge, refused_at_all
from common.access.policy import AccessPolicy, AccessPolicyError, load_access_policy, read_access_policy
from common.access.values import Act, Document, Facts, Right, What, Who

__all__ = [
    "AccessPolicy",
    "AccessPolicyError",
    "Act",
    "Decision",
    "Document",
    "Facts",
    "Right",
    "Standing",
    "Step",
    "What",
    "Who",
    "decide",
    "explain",
    "judge",
    "load_access_policy",
    "read_access_policy",
    "refused_at_all",
    "standing",
]
