"""What the Repository keeps of an on-demand document: which generator makes it, and what of it is kept.

It lies in the document store under the document's uniqueId, where the bytes of a stable document would be, so that an
on-demand document is as durable, and as easily found, as any other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from common.model import Code, LocalizedString

MIME_TYPE: Final = "application/vnd.portolan.on-demand+json"
"""Reserved: no document is provided with it."""


class UnreadableDefinition(ValueError):  # noqa: N818
    """What was stored is no definition of this release."""


@dataclass(frozen=True, slots=True)
class Definition:
    """``generator`` is an entry point's name; with ``keep`` each new content is kept as a snapshot (IsSnapshotOf)."""

    generator: str
    source_id: str
    content_type: Code
    keep: bool = False
    parameters: Mapping[str, str] = field(default_factory=dict)


def write_definition(definition: Definition) -> bytes:
    """As JSON in UTF-8; the same definition gives the same bytes."""
    code = definition.content_type
    told = {
        "generator": definition.generator,
        "source_id": definition.source_id,
        "content_type": {"code": code.code, "scheme": code.scheme, "display": code.label},
        "keep": definition.keep,
        "parameters": dict(definition.parameters),
    }
    return json.dumps(told, sort_keys=True, ensure_ascii=False).encode()


def read_definition(content: bytes) -> Definition:
    """What was written; UnreadableDefinition."""
    try:
        told: dict[str, Any] = json.loads(content)
        code = told["content_type"]
        display = (LocalizedString(str(code["display"]), "en-GB", "UTF-8"),)
        parameters = {str(name): str(value) for name, value in told["parameters"].items()}
        content_type = Code(str(code["code"]), str(code["scheme"]), display)
        return Definition(str(told["generator"]), str(told["source_id"]), content_type, bool(told["keep"]), parameters)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnreadableDefinition(f"not a definition of an on-demand document: {type(error).__name__}") from error
