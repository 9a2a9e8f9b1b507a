"""What every worker calls: the makers of the applications.

The services are imported when they are asked for, since their metrics look for a directory when they are imported.
"""

from __future__ import annotations

import os

from common.http.exchange import Wsgi
from common.observe.logging import configure
from common.settings import Settings, load
from common.web.proxied import as_set
from console.serving.observing import observe
from console.serving.parent import end_with_parent


def _begin(service: str) -> Settings:
    settings = load(os.environ)
    configure(settings.log_level, settings.log_format, service)
    end_with_parent()
    observe(service, settings)
    return settings


def registry() -> Wsgi:
    """The Registry."""
    settings = _begin("registry")
    from registry.app import create_app

    return as_set(create_app(settings).wsgi_app, settings)


def repository() -> Wsgi:
    """The Repository."""
    settings = _begin("repository")
    from repository.app import create_app

    return as_set(create_app(settings).wsgi_app, settings)


def identity() -> Wsgi:
    """The cross-reference service."""
    settings = _begin("identity")
    from identity.app import create_app

    return as_set(create_app(settings).wsgi_app, settings)


def audit() -> Wsgi:
    """The audit record repository, as far as it is asked by HTTP."""
    settings = _begin("audit")
    from auditing.app import create_app

    return as_set(create_app(settings).wsgi_app, settings)
