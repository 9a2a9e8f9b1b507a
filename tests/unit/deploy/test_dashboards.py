"""Dashboard, alerts and their pages speak of metrics that are exported, and of each other."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import Histogram

from common.observe import metrics
from common.observe.stages import Stage
from common.settings import TABLE as SETTINGS
from common.standard.errors import ErrorCode
from common.standard.transactions import TRANSACTIONS
from tests.servers.deploy_tools import promtool
from tests.servers.fixtures import do_without
from tests.servers.process import Unavailable

ROOT = Path(__file__).resolve().parents[3]
DASHBOARD = json.loads((ROOT / "deploy/grafana/portolan.json").read_text(encoding="utf-8"))
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
ALERTS_FILE = ROOT / "deploy/prometheus/alerts.yml"
ALERTS: list[dict[str, Any]] = [
    rule for group in yaml.safe_load(ALERTS_FILE.read_text(encoding="utf-8"))["groups"] for rule in group["rules"]
]
RUNBOOK = (ROOT / "docs/operations/alerts.md").read_text(encoding="utf-8")
SECTIONS = {part.splitlines()[0]: part for part in re.split(r"^## ", RUNBOOK, flags=re.MULTILINE)[1:]}
ROWS = {row.name: row for row in metrics.TABLE}
TARGET_LABELS = {"instance", "job"}
KNOWN_VALUES = {
    "code": {code.name for code in ErrorCode},
    "stage": {stage.value for stage in Stage},
    "transaction": {row.label for row in TRANSACTIONS},
    "kind": {"request", "statement"},
}


def expressions() -> Iterator[tuple[str, str]]:
    """Every expression by where it stands."""
    for panel in PANELS:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            yield f"${variable['name']}", variable["definition"]
    for rule in ALERTS:
        yield rule["alert"], rule["expr"]


def row_named(name: str) -> tuple[metrics.Row, set[str]]:
    """The metric behind a name as Prometheus has it, and the labels it has there."""
    found = name.removeprefix("portolan_")
    if found in ROWS and ROWS[found].kind is not Histogram:
        return ROWS[found], {*ROWS[found].labels}
    for suffix, more in (("_bucket", {"le"}), ("_sum", set()), ("_count", set())):
        row = ROWS.get(found.removesuffix(suffix)) if found.endswith(suffix) else None
        if row is not None and row.kind is Histogram:
            return row, {*row.labels, *more}
    raise AssertionError(f"{name} is not exported")


@pytest.mark.parametrize(("where", "expression"), list(expressions()), ids=lambda value: value[:40])
def test_only_what_is_exported_is_asked_for(where: str, expression: str) -> None:
    plain = re.sub(r'"[^"]*"', '""', expression)
    labels: set[str] = set()
    for name in re.findall(r"\bportolan_\w+", plain):
        labels |= row_named(name)[1]
    for name, selected in re.findall(r"\b(portolan_\w+)\{([^}]*)\}", plain):
        asked = set(re.findall(r"(\w+)\s*(?:=|!)", selected))
        assert asked <= row_named(name)[1] | TARGET_LABELS, f"{where}: {name}"
    for grouped in re.findall(r"\b(?:by|on)\s*\(([^)]*)\)", plain):
        assert {each.strip() for each in grouped.split(",")} <= labels | TARGET_LABELS, where


@pytest.mark.parametrize(("where", "expression"), list(expressions()), ids=lambda value: value[:40])
def test_values_of_labels_are_ours(where: str, expression: str) -> None:
    for label, given in re.findall(r'(\w+)=~?"([^"$]*)"', expression):
        if label in KNOWN_VALUES:
            assert set(given.split("|")) <= KNOWN_VALUES[label], where


def test_every_metric_is_shown() -> None:
    shown = {row_named(name)[0].name for _, each in expressions() for name in re.findall(r"\bportolan_\w+", each)}

    assert shown == set(ROWS)


def test_panels_have_titles_and_units_and_do_not_lie_upon_each_other() -> None:
    everything = DASHBOARD["panels"]
    assert len({panel["id"] for panel in everything}) == len(everything)
    assert all(panel["title"] for panel in everything)
    assert all(panel["fieldConfig"]["defaults"]["unit"] for panel in PANELS)
    for one, other in combinations(everything, 2):
        a, b = one["gridPos"], other["gridPos"]
        apart = (
            a["x"] + a["w"] <= b["x"]
            or b["x"] + b["w"] <= a["x"]
            or a["y"] + a["h"] <= b["y"]
            or b["y"] + b["h"] <= a["y"]
        )
        assert apart, (one["title"], other["title"])
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in everything)


def test_panels_ask_the_data_source_that_is_chosen_and_only_variables_that_are_there() -> None:
    known = {f"${each['name']}" for each in DASHBOARD["templating"]["list"]} | {"$__rate_interval"}
    for panel in PANELS:
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == "${datasource}"
            assert set(re.findall(r"\$\w+", target["expr"])) <= known


def test_every_alert_has_a_section_and_every_section_an_alert() -> None:
    names = [rule["alert"] for rule in ALERTS]

    assert len(set(names)) == len(names)
    assert list(SECTIONS) == names


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_says_how_urgent_it_is_and_leads_to_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["annotations"]["runbook"] == f"docs/operations/alerts.md#{rule['alert'].lower()}"
    assert rule["annotations"]["summary"].endswith(".")
    for part in ("**Means.**", "**Look at.**", "**Do.**"):
        assert part in SECTIONS[rule["alert"]]


def test_the_page_names_settings_and_sections_that_are_there() -> None:
    for name in re.findall(r"PORTOLAN_([A-Z_]+)", RUNBOOK):
        assert any(setting.startswith(name.lower()) for setting in SETTINGS), name
    anchors = {name.lower() for name in SECTIONS}
    assert set(re.findall(r"\(#(\w+)\)", RUNBOOK)) <= anchors


@pytest.mark.parametrize("arguments", [("check", "rules", "alerts.yml"), ("test", "rules", "alerts.test.yml")])
def test_prometheus_takes_the_rules_and_they_fire_when_they_should(arguments: tuple[str, ...]) -> None:
    *verb, name = arguments
    try:
        done = promtool(*verb, str(ALERTS_FILE.with_name(name)))
    except Unavailable as reason:
        do_without(reason)
        return
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_is_tested_to_fire_and_not_to() -> None:
    cases = yaml.safe_load(ALERTS_FILE.with_name("alerts.test.yml").read_text(encoding="utf-8"))["tests"]
    tried = [rule for case in cases for rule in case["alert_rule_test"]]
    names = {rule["alert"] for rule in ALERTS}

    assert {rule["alertname"] for rule in tried if rule["exp_alerts"]} == names
    assert {rule["alertname"] for rule in tried if not rule["exp_alerts"]} == names
