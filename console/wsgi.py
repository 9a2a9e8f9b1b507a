"""What every worker calls: the makers of the applications.

The services are imported when they are asked for, since their metrics look for a directory when they are imported.
"""

from __future__ import annotations

import os

from common.audit.auditor import Auditor
from common.http.crew import LAST
from common.http.exchange import Wsgi
from common.observe.logging import configure
from common.settings import Settings, load
from common.web.proxied import as_set
from console.serving.auditing import begin
from console.serving.observing import observe
from console.serving.parent import end_with_parent
from console.serving.services import SERVICES


def _begin(service: str) -> tuple[Settings, Auditor | None]:
    settings = load(os.environ)
    configure(settings.log_level, settings.log_format, service)
    end_with_parent()
    observe(service, settings)
    auditing = begin(settings, service, SERVICES[service].url(settings))
    LAST.append(auditing.end)
    return settings, auditing.auditor


def registry() -> Wsgi:
    """The Registry."""
    settings, auditor = _begin("registry")
    from registry.app import create_app

    return as_set(create_app(settings, auditor=auditor).wsgi_app, settings)


def repository() -> Wsgi:
    """The Repository."""
    settings, auditor = _begin("repository")
    from repository.app import create_app

    return as_set(create_app(settings, auditor=auditor).wsgi_app, settings)


def identity() -> Wsgi:
    """The cross-reference service."""
    settings, auditor = _begin("identity")
    from identity.app import create_app

    return as_set(create_app(settings, auditor=auditor).wsgi_app, settings)


def audit() -> Wsgi:
    """The audit record repository, as far as it is asked by HTTP."""
    settings, _ = _begin("audit")
    from auditing.app import create_app

    return as_set(create_app(settings).wsgi_app, settings)
