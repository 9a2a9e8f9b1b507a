"""The way to the Registry for services that have to know what it knows, and who may do what: it is asked over SOAP."""

from common.judging.access import NOT_ALLOWED, NOT_TOLD, Access
from common.judging.queries import Queries, RegistryUnclear, client_of, listed, quoted

__all__ = ["NOT_ALLOWED", "NOT_TOLD", "Access", "Queries", "RegistryUnclear", "client_of", "listed", "quoted"]
