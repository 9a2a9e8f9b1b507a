"""Types of columns that every store uses."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Text

# Compared code point by code point, whatever the locale of the server.
String: Final = Text().with_variant(Text(collation="C"), "postgresql")
