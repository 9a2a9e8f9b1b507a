"""What all tests share: the real servers, started when a test first asks for one."""

from __future__ import annotations

import pytest
from hypothesis import settings

pytest_plugins = ["tests.servers.fixtures"]

# What is found has to be found again, and a busy machine is no finding.
settings.register_profile("portolan", deadline=None, print_blob=True)
settings.load_profile("portolan")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the tables that tests have filled."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == "table":
                terminalreporter.section(report.nodeid.rpartition("::")[2].replace("_", " "))
                terminalreporter.write_line(str(value))
