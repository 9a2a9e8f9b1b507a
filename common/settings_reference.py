"""The manual page of the settings, printed from their table."""

from collections.abc import Mapping
from typing import Final

from common.settings_sources import PREFIX
from common.settings_types import Row

_GROUPS: Final = {
    "data": "Where things are kept",
    "repository_uid": "The affinity domain",
    "registry_bind": "Addresses and processes",
    "max_metadata_bytes": "Limits",
    "request_timeout": "Times",
    "async_reply_to": "Asynchronous answers",
    "tls_certificate": "Nodes and users",
    "access": "Who may see what",
    "audit": "The audit trail",
    "oauth": "Bearer tokens",
    "log_level": "What is observed",
}

_HEAD: Final = """\
# Settings

Every setting can be given in the environment, under the name shown, or in a TOML file that `--config FILE` or
`PORTOLAN_CONFIG` names. In the file the key is the same name in lower case without `PORTOLAN_`; keys with a common
beginning may share a table (`[s3]` and `endpoint` is `s3_endpoint`). The environment wins over the file. An empty
variable counts as not set. Nothing starts with a wrong or unknown setting: all problems are listed at once.

A setting marked *secret* is never shown, and may be read from a file: the same name with `_FILE` holds its path.

Sizes are plain bytes or in `KiB`, `MiB`, `GiB`; times are plain seconds or in `ms`, `s`, `m`, `h`, `d`.

This page is printed by `python -m common.settings`.
"""


def reference(table: Mapping[str, Row]) -> str:
    """The page, in Markdown."""
    parts = [_HEAD]
    for name, row in table.items():
        if name in _GROUPS:
            parts.append(f"\n## {_GROUPS[name]}\n\n| setting | default | meaning | accepts |\n|---|---|---|---|\n")
        parts.append(_line(name, row))
    return "".join(parts)


def _line(name: str, row: Row) -> str:
    default = row.kind.show(row.default)
    shown = f"`{default}`" if default else ""
    secret = " *Secret.*" if row.secret else ""
    return f"| `{PREFIX}{name.upper()}` | {shown} | {row.meaning}{secret} | {row.kind.accepts} |\n"
