"""The trail's schema: brought to this release's, or found to be behind."""

from __future__ import annotations

from typing import Final

import migrations.auditing as scripts
from common.db.schema import Schema

VERSION_TABLE: Final = "portolan_auditing_version"
_SCHEMA: Final = Schema(scripts, VERSION_TABLE, lock=7_320_044)

newest = _SCHEMA.newest
current = _SCHEMA.current
is_served = _SCHEMA.is_served
upgrade = _SCHEMA.upgrade
