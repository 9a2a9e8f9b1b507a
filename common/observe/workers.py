"""Prepares the directory in which the worker processes of a service share their metrics.

It does not import the metrics library, which decides when it is imported whether it is one of several.
"""

import os
from collections.abc import MutableMapping
from pathlib import Path
from typing import Final

DIRECTORY: Final = "PROMETHEUS_MULTIPROC_DIR"


def prepare(data: Path, service: str, environ: MutableMapping[str, str] = os.environ) -> Path:
    """An empty directory for one service's metrics, named in the environment; OSError when it cannot be made.

    Call it once in the service's parent process, before `common.observe.metrics` is imported there and before any
    worker starts.
    """
    directory = data / "metrics" / service
    directory.mkdir(parents=True, exist_ok=True)
    for left in directory.glob("*.db"):
        left.unlink(missing_ok=True)
    environ[DIRECTORY] = str(directory)
    return directory
