"""What granian calls in every worker: factories of the applications.

The services are imported when they are asked for, since their metrics look for a directory when they are imported.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from common.observe.logging import configure
from common.settings import Settings, load
from common.web.serving import Application
from console.serving.parent import end_with_parent

if TYPE_CHECKING:
    from flask import Flask


def _begin(service: str) -> Settings:
    settings = load(os.environ)
    configure(settings.log_level, settings.log_format, service)
    end_with_parent()
    return settings


def registry() -> Flask | Application:
    """The Registry."""
    settings = _begin("registry")
    from registry.app import create_app

    return _guarded(create_app(settings), settings, settings.registry_threads)


def repository() -> Flask | Application:
    """The Repository."""
    settings = _begin("repository")
    from repository.app import create_app

    return _guarded(create_app(settings), settings, settings.repository_threads)


def identity() -> Flask | Application:
    """The cross-reference service."""
    settings = _begin("identity")
    from identity.app import create_app

    return _guarded(create_app(settings), settings, settings.identity_threads)


def _guarded(app: Flask, settings: Settings, threads: int) -> Flask | Application:
    """The application as granian is to run it: RSGI that waits for slow clients itself, or plain WSGI."""
    if settings.slow_clients == "proxy":
        return app
    return Application(app.wsgi_app, threads=threads, idle=settings.idle_timeout, total=settings.request_timeout)
