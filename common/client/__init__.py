"""The way out over HTTP, and what a Python user calls: DocumentSource, DocumentConsumer, DocumentAdministrator,
PatientIdentity.

Services use only the way out, and need not wait for what the rest imports: it is imported when it is asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from common.client.users import *  # noqa: F403
else:

    def __getattr__(name: str) -> object:
        """One of the names of ``common.client.users`` (PEP 562)."""
        if name.startswith("_"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module("common.client.users"), name)
