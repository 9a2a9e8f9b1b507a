"""The Registry's schema: brought to this release's, or found to be behind."""

from __future__ import annotations

from typing import Final

import migrations.registry as scripts
import registry.access.tables
import registry.store.lifecycle_tables  # noqa: F401
from common.db.schema import Schema

VERSION_TABLE: Final = "portolan_registry_version"
_SCHEMA: Final = Schema(scripts, VERSION_TABLE, lock=7_320_041)

newest = _SCHEMA.newest
current = _SCHEMA.current
is_served = _SCHEMA.is_served
upgrade = _SCHEMA.upgrade
