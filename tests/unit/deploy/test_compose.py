"""The compose files, alone and laid over each other: what compose takes, and what the services can start with."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from common.settings import TABLE, Settings, load
from common.settings_sources import PREFIX
from tests.servers.deploy_tools import compose_services
from tests.servers.fixtures import do_without
from tests.servers.process import Unavailable

ROOT = Path(__file__).resolve().parents[3]
BASE = ROOT / "compose.yaml"
OVERLAYS = sorted((ROOT / "deploy").glob("compose.*.yaml"), key=lambda file: file.stem)
SECURE, FEEDS, IDENTITY = (ROOT / f"deploy/compose.{name}.yaml" for name in ("secure", "feeds", "identity"))
JOINS = {ROOT / "deploy/compose.secure-identity.yaml": (IDENTITY, SECURE)}
EXAMPLE = (ROOT / "deploy/example.env").read_text(encoding="utf-8")
CHOICES = [(), *[(*JOINS.get(each, ()), each) for each in OVERLAYS], (FEEDS, SECURE), tuple(OVERLAYS)]
SETTING = {"audit": "audit_repository_http"}
REPLACED = ("command", "test")
VALUES = {
    "PORTOLAN_REPOSITORY_ADDRESS": "https://records.example:8444",
    "PORTOLAN_AUDIT_ADDRESS": "https://records.example:8445",
    "PORTOLAN_IDENTITY_ADDRESS": "https://records.example:8446",
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
    """As compose merges files: mappings by key, lists one after the other, all else replaced, as are commands."""
    if isinstance(base, dict) and isinstance(more, dict):
        both = [key for key in base if key in more and key not in REPLACED]
        return {**base, **more, **{key: laid_over(base[key], more[key]) for key in both}}
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
        bound = getattr(settings, f"{SETTING.get(name, name)}_bind")
        if settings.tls_certificate:
            bound = getattr(settings, f"{SETTING.get(name, name).removesuffix('_http')}_probe_bind")
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
    for name in {"database", "store", "audit-database"} & set(project["services"]):
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


def secure() -> dict[str, Any]:
    """The secure shape with everything."""
    return merged((FEEDS, IDENTITY, SECURE, *JOINS))


def test_in_the_secure_shape_every_service_knows_its_callers_and_takes_no_other() -> None:
    project = secure()
    assert set(ours(project)) == {"registry", "repository", "identity", "audit"}
    assert project["services"]["proxy"]["profiles"] == ["plain"]
    for name, each in ours(project).items():
        settings = load({key: str(value) for key, value in each["environment"].items()})
        files = [value for value in each["environment"].values() if str(value).startswith("/run/secrets/")]
        assert {Path(file).name for file in files} <= {*each["secrets"]}
        assert settings.tls_trust, name
        assert settings.tls_crl, name
        assert settings.tls_peers, name
        published = {port.rpartition(":")[2] for port in each["ports"]}
        assert not published & {"9010", "9020", "9070", "9090"}, "watchers ask without TLS"
        if name != "audit":
            assert (settings.xua, settings.audit, settings.audit_failure) == ("required", True, "refuse")
            assert settings.xua_issuers
            assert settings.xua_systems
            assert {"xua_issuers", "xua_certificates", "xua_systems"} <= set(each["secrets"])
            assert f"{name}:/data" in each["volumes"], "where records wait"
    assert {load_of(project, name).access for name in ("registry", "repository")} == {"on"}
    assert load_of(project, "repository").registry_url.startswith("https://registry:")


def load_of(project: dict[str, Any], name: str) -> Settings:
    """A service's settings."""
    return load({key: str(value) for key, value in project["services"][name]["environment"].items()})


def test_the_trail_has_a_database_a_key_and_a_volume_of_its_own() -> None:
    project = secure()
    audit = load_of(project, "audit")
    assert [load_of(project, name).audit_repositories for name in ("registry", "repository", "identity")] == [
        f"audit:{audit.audit_repository_bind.rpartition(':')[2]}"
    ] * 3
    assert "@audit-database/" in audit.audit_repository_database
    assert project["services"]["database"]["volumes"] != project["services"]["audit-database"]["volumes"]
    passwords = {
        project["services"][name]["environment"]["POSTGRES_PASSWORD"] for name in ("database", "audit-database")
    }
    assert len(passwords) == 2
    volumes = [each for service in project["services"].values() for each in service.get("volumes", ())]
    folder = str(Path(audit.audit_repository_checkpoints).parent)
    assert [each for each in volumes if each.startswith("checkpoints:")] == [f"checkpoints:{folder}"]
    assert f" {folder}" in (ROOT / "deploy/Dockerfile").read_text(encoding="utf-8"), "made for uid 10001"
    assert "audit_key" in project["services"]["audit"]["secrets"]
    assert not any("audit_key" in project["services"][name]["secrets"] for name in ("registry", "repository"))


@pytest.mark.parametrize("file", OVERLAYS, ids=lambda file: file.name)
def test_no_file_holds_a_secret(file: Path) -> None:
    secret = {f"{PREFIX}{name.upper()}" for name, row in TABLE.items() if row.secret}
    found = yaml.safe_load(file.read_text(encoding="utf-8"))
    for each in found["services"].values():
        for name, value in each.get("environment", {}).items():
            if name in secret or "PASSWORD" in name:
                assert re.search(r"\$\{\w*(PASSWORD|KEY|SECRET)\w*:\?", value), name
    assert all(_VARIABLE.fullmatch(each["file"]) for each in found.get("secrets", {}).values())


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
