"""Cross-Enterprise User Assertion (ITI-40): who asks, as a signed SAML 2.0 assertion in the SOAP header says."""

from common.caller import Caller, Coded
from common.xua.issuers import BadIssuers, Issuers, followed, read_issuers
from common.xua.refusal import NotIdentified
from common.xua.seen import Seen
from common.xua.verifying import Policy, Verifier
from common.xua.vocabulary import SECURITY

__all__ = [
    "SECURITY",
    "BadIssuers",
    "Caller",
    "Coded",
    "Issuers",
    "NotIdentified",
    "Policy",
    "Seen",
    "Verifier",
    "followed",
    "read_issuers",
]
