"""What all tests share: the real servers, started when a test first asks for one."""

from __future__ import annotations

pytest_plugins = ["tests.servers.fixtures"]
