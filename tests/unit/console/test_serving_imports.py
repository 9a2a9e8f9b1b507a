"""What starts services must not import their metrics: those look for their directory as they are imported."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["console.cli", "console.commands.serve", "console.serving.server",
                                    "console.serving.feeds", "console.serving.supervisor"])  # fmt: skip
def test_metrics_are_imported_once_their_directory_is_known(module: str) -> None:
    told = f"import sys, {module}; print('common.observe.metrics' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
