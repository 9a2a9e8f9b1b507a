"""What all tests share: the real servers, started when a test first asks for one."""

from __future__ import annotations

from hypothesis import settings

pytest_plugins = ["tests.servers.fixtures"]

# What is found has to be found again, and a busy machine is no finding.
settings.register_profile("portolan", deadline=None, print_blob=True)
settings.load_profile("portolan")
