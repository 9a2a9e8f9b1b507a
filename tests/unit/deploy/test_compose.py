"""The compose files, alone and laid over each other: what compose takes, and what the services can start with."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from common.settings import TABLE, load
from common.settings_sources import PREFIX
from tests.servers.deploy_tools import compose_services
from tests.servers.fixtures import do_without
from tests.servers.process import Unavailable

ROOT = Path(__file__).resolve().parents[3]
BASE = ROOT / "compose.yaml"
OVERLAYS = sorted((ROOT / "deploy").glob("compose.*.yaml"))
EXAMPLE = (ROOT / "deploy/example.env").read_text(encoding="utf-8")
CHOICES = [(), *[(each,) for each in OVERLAYS], tuple(OVERLAYS)]
VALUES = {
    "PORTOLAN_ADDRESS": "https://records.example:8443",
    "PORTOLAN_REPOSITORY_UID": "2.999.7.1",
    "PORTOLAN_ASYNC_REPLY_TO": "https://receiver.example/xds",
}
_VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


def named(overlays: tuple[Path, ...]) -> str:
    """A test's name."""
    return "+".join(each.stem.removeprefix("compose.") for each in overlays) or "alone"


def filled(tree: Any) -> Any:
    """With variables in their places, as compose puts them there."""

    def value(found: re.Match[str]) -> str:
        name, kind, rest = found.groups()
        return VALUES.get(name) or (rest if kind == "-" else f"a-{name.lower()}")

    if isinstance(tree, dict):
        return {key: filled(each) for key, each in tree.items()}
    if isinstance(tree, list):
        return [filled(each) for each in tree]
    return _VARIABLE.sub(value, tree) if isinstance(tree, str) else tree


def laid_over(base: Any, more: Any) -> Any:
    """As compose merges files: mappings by key, lists one after the other, all else replaced."""
    if isinstance(base, dict) and isinstance(more, dict):
        return {key: laid_over(base.get(key), more[key]) if key in more else base[key] for key in {**base, **more}}
    if isinstance(base, list) and isinstance(more, list):
        return [*base, *(each for each in more if each not in base)]
    return base if more is None else more


def merged(overlays: tuple[Path, ...]) -> dict[str, Any]:
    """The project that these files make."""
    found: Any = {}
    for file in (BASE, *overlays):
        found = laid_over(found, filled(yaml.safe_load(file.read_text(encoding="utf-8"))))
    project: dict[str, Any] = {key: value for key, value in found.items() if not key.startswith("x-")}
    return project


@pytest.fixture(params=CHOICES, ids=named)
def project(request: pytest.FixtureRequest) -> dict[str, Any]:
    return merged(request.param)


def ours(project: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The services that run our image."""
    return {name: each for name, each in project["services"].items() if each["image"].startswith("portolan:")}


def test_compose_takes_it(project: dict[str, Any]) -> None:
    try:
        assert set(compose_services(yaml.safe_dump(project))) == set(project["services"])
    except Unavailable as reason:
        do_without(reason)


def test_a_wrong_file_is_told_from_a_right_one() -> None:
    broken = merged(())
    broken["services"]["registry"]["helthcheck"] = {}
    try:
        with pytest.raises(RuntimeError, match="helthcheck"):
            compose_services(yaml.safe_dump(broken))
    except Unavailable as reason:
        do_without(reason)


def test_each_service_starts_with_its_settings(project: dict[str, Any]) -> None:
    known = {f"{PREFIX}{name.upper()}" for name in TABLE}
    for name, each in ours(project).items():
        environment = each["environment"]
        assert set(environment) <= known
        settings = load({key: str(value) for key, value in environment.items()})
        assert each["command"] == ["serve", name]
        bound = getattr(settings, f"{name}_bind")
        assert each["healthcheck"]["test"][-1] == f"http://127.0.0.1:{bound.rpartition(':')[2]}/ready"
    assert all(
        each["environment"]["PORTOLAN_PATIENT_TEST_NUMBERS"] == "false"
        for name, each in ours(project).items()
        if name != "repository"
    )


def test_what_services_use_is_declared(project: dict[str, Any]) -> None:
    for each in project["services"].values():
        assert set(each.get("networks", ())) <= set(project["networks"])
        assert set(each.get("secrets", ())) <= set(project["secrets"])
        assert set(each.get("depends_on", ())) <= set(project["services"])
        for volume in each.get("volumes", ()):
            source = volume.partition(":")[0]
            assert (ROOT / source).exists() if source.startswith(".") else source in project["volumes"], volume


def test_services_hold_no_rights_and_stores_are_not_reached_from_outside(project: dict[str, Any]) -> None:
    for each in ours(project).values():
        assert each["read_only"] is True
        assert each["cap_drop"] == ["ALL"]
        assert each["security_opt"] == ["no-new-privileges:true"]
    for name in ("database", "store"):
        assert project["services"][name]["networks"] == ["inside"]
        assert "ports" not in project["services"][name]
    assert project["networks"]["inside"]["internal"] is True


def test_feeds_come_from_outside_by_tls_only() -> None:
    assert "ports" not in merged(())["services"]["registry"]
    registry = merged((ROOT / "deploy/compose.feeds.yaml",))["services"]["registry"]

    settings = load({key: str(value) for key, value in registry["environment"].items()})
    assert registry["ports"] == ["8060:8060"]
    assert settings.mllp_tls_certificate
    assert settings.mllp_tls_client_ca


def test_answers_that_are_sent_later_are_kept_in_the_database() -> None:
    project = merged((ROOT / "deploy/compose.async.yaml",))
    for name in ("registry", "repository"):
        environment = project["services"][name]["environment"]
        settings = load({key: str(value) for key, value in environment.items()})
        assert not settings.async_allowed(name).is_empty
        assert settings.outbox.startswith("postgresql+psycopg://")
        assert "outside" in project["services"][name]["networks"]


@pytest.mark.parametrize("file", OVERLAYS, ids=lambda file: file.name)
def test_the_example_names_what_a_file_needs(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    for name, kind, _ in _VARIABLE.findall(text):
        if kind == "?":
            assert re.search(rf"^#?{name}=$", EXAMPLE, re.MULTILINE), name
    assert f"deploy/{file.name}" in EXAMPLE
    assert f"-f deploy/{file.name}" in text


def test_the_image_holds_every_package() -> None:
    dockerfile = (ROOT / "deploy/Dockerfile").read_text(encoding="utf-8")
    included = re.search(r"\[options.packages.find\]\ninclude =\n((?: +\S+\n)+)", (ROOT / "setup.cfg").read_text())
    assert included
    for name in included[1].replace("*", "").split():
        assert f"COPY {name} {name}\n" in dockerfile
