"""A request's head as PEP 3333 has it."""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import Any, Final

from common.http.connection import Connection
from common.http.head import Head
from common.tls import PEER

_BASE: Final[dict[str, Any]] = {
    "SCRIPT_NAME": "",
    "wsgi.version": (1, 0),
    "wsgi.errors": sys.stderr,
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
    "wsgi.input_terminated": True,
    "wsgi.url_scheme": "http",
}
_OWN: Final = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}


def environ_of(head: Head, connection: Connection) -> dict[str, Any]:
    """All but ``wsgi.input``; fields whose names hold an underscore are left out, or a_b and a-b would become one."""
    name, _, port = head.fields.get("host", "").rpartition(":")
    environ = {
        **_BASE,
        "REQUEST_METHOD": head.method,
        "PATH_INFO": head.path,
        "QUERY_STRING": head.query,
        "SERVER_PROTOCOL": head.version,
        "SERVER_NAME": name or head.fields.get("host", "") or "localhost",
        "SERVER_PORT": port if name and port.isdigit() else "80",
        "REMOTE_ADDR": connection.peer,
    }
    if connection.is_secure:
        environ["wsgi.url_scheme"], environ[PEER] = "https", connection.identity
    for field, value in head.fields.items():
        if key := _key(field):
            environ[key] = value
    return environ


@lru_cache(maxsize=256)
def _key(field: str) -> str:
    if "_" in field:
        return ""
    return _OWN.get(field) or "HTTP_" + field.upper().replace("-", "_")
