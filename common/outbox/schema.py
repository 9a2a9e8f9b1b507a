"""The outbox's schema: brought to this release's, or found to be behind."""

from __future__ import annotations

from typing import Final

import migrations.outbox as scripts
from common.db.schema import Schema

VERSION_TABLE: Final = "portolan_outbox_version"
SCHEMA: Final = Schema(scripts, VERSION_TABLE, lock=7_320_042)
