"""Tools that look at the files of a deployment; `start.py` puts them into `.cache`, or a machine has them.

Helm's own engine and the schemas of Kubernetes and of compose come as Python packages in a folder of their own, and run
in a process of their own: what they need must not be mixed with what is tested.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.servers.process import Unavailable, program

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".cache" / "deploy-tools"
CHART = ROOT / "deploy" / "helm" / "portolan"

_RENDER = """
import helm_python, json, sys, yaml
releases = json.load(sys.stdin)
found = []
for values in releases:
    with helm_python.Chart.load(sys.argv[1]) as chart:
        try:
            chart.validate_schema(values)
            files = chart.render(values, name="demo", namespace="records")
            texts = [text for name, text in files.items() if name.endswith(".yaml")]
            found.append([each for text in texts for each in yaml.safe_load_all(text) if each])
        except helm_python.HelmError as error:
            found.append(str(error))
print(json.dumps(found))
"""
_LINT = """
import helm_python, json, sys
print(json.dumps(helm_python.lint(sys.argv[1], json.load(sys.stdin), strict=True)))
"""
_KUBERNETES = """
import json, sys
import kubernetes_validate as k
found = []
for each in json.load(sys.stdin):
    try:
        k.validate(each, sys.argv[1], strict=True)
        found.append(None)
    except k.ValidationError as error:
        found.append(f"{'.'.join(map(str, error.path))}: {error.message}")
print(json.dumps(found))
"""
_COMPOSE = """
import json, sys
from compose_spec import PyCompose
print(json.dumps(PyCompose.from_yaml(sys.stdin.read()).service_names()))
"""


def _run(code: str, given: str, *arguments: str) -> Any:
    """What a piece of Python prints as JSON, with the tools at hand; Unavailable, RuntimeError."""
    if not TOOLS.is_dir():
        raise Unavailable("the tools for deployments are not installed; `python3 start.py test` sets them up")
    environment = {**os.environ, "PYTHONPATH": str(TOOLS)}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], input=given, env=environment, capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return json.loads(done.stdout)


def rendered(releases: Sequence[Mapping[str, Any]]) -> list[list[dict[str, Any]] | str]:
    """The chart's objects for each release's values; what Helm says where it refuses."""
    found: list[list[dict[str, Any]] | str] = _run(_RENDER, json.dumps(list(releases)), str(CHART))
    return found


def linted(values: Mapping[str, Any]) -> dict[str, Any]:
    """What `helm lint` finds."""
    found: dict[str, Any] = _run(_LINT, json.dumps(values), str(CHART))
    return found


def against_kubernetes(objects: Sequence[Mapping[str, Any]], version: str) -> list[str | None]:
    """What is wrong with each object under Kubernetes' own schemas; None where nothing is."""
    found: list[str | None] = _run(_KUBERNETES, json.dumps(list(objects)), version)
    return found


def compose_services(text: str) -> list[str]:
    """The services of a compose file, read strictly; RuntimeError for what is no compose file."""
    found: list[str] = _run(_COMPOSE, text)
    return found


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Prometheus' own checker."""
    ours = TOOLS / "bin" / "promtool"
    command = str(ours) if ours.exists() else program("promtool")
    return subprocess.run([command, *arguments], capture_output=True, text=True)
