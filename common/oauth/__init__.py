"""Bearer tokens (ITI-72, OAuth 2): who asks, as a JWT says that the configured issuer has signed."""

from common.oauth.introspection import Introspection
from common.oauth.keys import BadKeys, FileKeys, IssuerKeys, Keys
from common.oauth.refusal import CannotTell, NotAuthorised
from common.oauth.verifying import Bearer, Policy, Verifier

__all__ = [
    "BadKeys",
    "Bearer",
    "CannotTell",
    "FileKeys",
    "Introspection",
    "IssuerKeys",
    "Keys",
    "NotAuthorised",
    "Policy",
    "Verifier",
]
