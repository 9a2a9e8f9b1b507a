"""The chart: it renders for small and large sites, its objects are what Kubernetes takes, and secrets stay outside."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from common.settings import TABLE, load
from common.settings_sources import PREFIX
from tests.servers.deploy_tools import ROOT, against_kubernetes, linted, rendered
from tests.servers.fixtures import do_without
from tests.servers.process import Unavailable
from tests.system.kubernetes_kit import (
    REFUSED,
    RUNNING,
    SITES,
    USUAL,
    Object,
    containers,
    everything,
    of_kind,
    pods,
    with_more,
)

VERSIONS = ("1.27", "1.37")


@pytest.fixture(params=SITES)
def objects(request: pytest.FixtureRequest) -> list[Object]:
    """All objects of one site."""
    try:
        return everything()[0][request.param]
    except Unavailable as reason:
        do_without(reason)
        raise


def test_the_chart_passes_lint() -> None:
    try:
        found = linted(USUAL)
    except Unavailable as reason:
        do_without(reason)
        return
    assert found["errors"] == []
    assert {each["error"] for each in found["messages"]} <= {"icon is recommended"}


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_takes_every_object(objects: list[Object], version: str) -> None:
    known = [each for each in objects if not each["apiVersion"].startswith("monitoring.coreos.com/")]

    problems = against_kubernetes(known, f"{version}.0")

    named = [f"{each['kind']} {each['metadata']['name']}" for each in known]
    assert {name: told for name, told in zip(named, problems, strict=True) if told} == {}


def test_it_is_told_that_something_is_wrong() -> None:
    try:
        found = against_kubernetes([{"apiVersion": "v1", "kind": "Service", "spec": {"prots": []}}], "1.37.0")
    except Unavailable as reason:
        do_without(reason)
        return
    assert found[0]


@pytest.mark.parametrize("missing", REFUSED)
def test_what_is_missing_or_wrong_is_named(missing: str) -> None:
    try:
        told = everything()[1][missing]
    except Unavailable as reason:
        do_without(reason)
        return
    assert isinstance(told, str), "it was rendered"
    assert missing in told


def test_nothing_runs_as_root_or_writes_to_its_image(objects: list[Object]) -> None:
    for pod in pods(objects):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert not any(key in pod for key in ("hostNetwork", "hostPID", "hostIPC"))
        assert not any("hostPath" in volume for volume in pod["volumes"])
    for container in containers(objects):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]


def test_secrets_are_named_and_never_held(objects: list[Object]) -> None:
    assert not of_kind(objects, "Secret")
    secret = {f"{PREFIX}{name.upper()}" for name, row in TABLE.items() if row.secret}
    for container in containers(objects):
        for variable in container["env"]:
            if variable["name"] in secret or "KEY" in variable["name"].split("_"):
                named = "valueFrom" in variable or variable["value"].startswith("/etc/portolan/")
                assert named, variable


def test_every_variable_is_a_setting_and_stands_once(objects: list[Object]) -> None:
    known = {f"{PREFIX}{name.upper()}" for name in TABLE}
    for container in containers(objects):
        names = [each["name"] for each in container["env"]]
        assert len(names) == len(set(names))
        assert {name for name in names if name.startswith(PREFIX)} <= known


def test_each_service_starts_with_its_settings(objects: list[Object]) -> None:
    given = {"PORTOLAN_DATABASE": "postgresql+psycopg://u:p@db/x", "PORTOLAN_S3_SECRET_KEY": "s"}
    others = ("IDENTITY_DATABASE", "OUTBOX", "DATABASE_REPLICA", "AUDIT_REPOSITORY_DATABASE")
    given |= {f"{PREFIX}{name}": given["PORTOLAN_DATABASE"] for name in others}
    for container in containers(objects):
        environment = {
            each["name"]: each.get("value") or given.get(each["name"], "from-a-secret") for each in container["env"]
        }
        settings = load(environment)
        assert settings.patient_test_numbers is False
        assert settings.data.as_posix() == "/data"
        if container["name"] == "repository":
            scheme = "https" if settings.tls_certificate else "http"
            assert settings.registry_url == f"{scheme}://demo-registry:8010/registry"


def test_replicas_survive_one_node_and_releases_take_turns(objects: list[Object]) -> None:
    deployments = {each["metadata"]["name"]: each for each in objects if each["kind"] in RUNNING}
    assert set(deployments) >= {"demo-registry", "demo-repository"}
    budgets = {each["metadata"]["name"]: each["spec"] for each in of_kind(objects, "PodDisruptionBudget")}
    scalers = [each["spec"]["scaleTargetRef"] for each in of_kind(objects, "HorizontalPodAutoscaler")]
    scaled = {each["name"] for each in scalers}
    assert all(deployments[each["name"]]["kind"] == each["kind"] for each in scalers)
    for name, each in deployments.items():
        spec = each["spec"]
        assert ("replicas" in spec) is (name not in scaled)
        # Records wait with their senders while the audit record repository is away.
        assert spec.get("replicas", 2) >= (1 if name == "demo-audit" else 2)
        if each["kind"] == "Deployment":
            assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
        else:
            assert spec["updateStrategy"] == {"type": "RollingUpdate"}
        assert budgets[name]["selector"] == spec["selector"]
        [container] = spec["template"]["spec"]["containers"]
        assert container["readinessProbe"]["httpGet"]["path"] == "/ready"
        assert container["livenessProbe"]["httpGet"]["path"] == "/live"
        assert "--no-migrate" in container["args"]


def test_selectors_choose_the_pods_that_are_meant(objects: list[Object]) -> None:
    labels = {
        each["metadata"]["name"]: each["spec"]["template"]["metadata"]["labels"]
        for each in objects
        if each["kind"] in (*RUNNING, "Job")
    }
    ports = {
        each["metadata"]["name"]: {port["name"] for port in each["spec"]["template"]["spec"]["containers"][0]["ports"]}
        for each in objects
        if each["kind"] in RUNNING
    }
    chosen = [(each, each["spec"]["selector"]) for each in of_kind(objects, "Service")]
    chosen += [(each, each["spec"]["podSelector"]["matchLabels"]) for each in of_kind(objects, "NetworkPolicy")]
    for each, selector in chosen:
        name = each["metadata"]["name"].removesuffix("-mllp").removesuffix("-probe")
        assert [found for found, has in labels.items() if selector.items() <= has.items()] == [name]
        if each["kind"] == "Service":
            assert {port["targetPort"] for port in each["spec"]["ports"]} <= ports[name]


def test_schemas_are_migrated_before_the_release_and_by_nobody_else() -> None:
    try:
        sites = everything()[0]
    except Unavailable as reason:
        do_without(reason)
        return
    [job] = of_kind(sites["full"], "Job")
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    names = {each["name"] for each in job["spec"]["template"]["spec"]["containers"][0]["env"]}
    assert names >= {"PORTOLAN_DATABASE", "PORTOLAN_IDENTITY_DATABASE", "PORTOLAN_OUTBOX", "PORTOLAN_ASYNC_REPLY_TO"}
    assert of_kind(sites["folder"], "Job") == []


def test_what_is_not_listed_is_refused() -> None:
    try:
        sites = everything()[0]
    except Unavailable as reason:
        do_without(reason)
        return
    policies = {each["metadata"]["name"]: each["spec"] for each in of_kind(sites["usual"], "NetworkPolicy")}
    assert set(policies) == {"demo-registry", "demo-repository", "demo-migration"}
    assert all(set(each["policyTypes"]) == {"Ingress", "Egress"} for each in policies.values())
    [only] = policies["demo-registry"]["ingress"]
    assert only["from"][0]["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "repository"
    assert policies["demo-repository"]["ingress"] == []
    full = {each["metadata"]["name"]: json.dumps(each["spec"]) for each in of_kind(sites["full"], "NetworkPolicy")}
    assert "10.1.0.0/16" in full["demo-registry"]
    assert "10.1.0.0/16" not in full["demo-repository"]
    assert "10.3.0.0/16" in full["demo-repository"]
    assert "10.3.0.0/16" not in full["demo-registry"]


def test_only_the_services_own_addresses_are_let_through() -> None:
    try:
        [ingress] = of_kind(everything()[0]["full"], "Ingress")
    except Unavailable as reason:
        do_without(reason)
        return
    [rule] = ingress["spec"]["rules"]
    assert {(path["path"], path["pathType"]) for path in rule["http"]["paths"]} == {
        ("/registry", "Exact"), ("/repository", "Exact"), ("/identity", "Exact")
    }  # fmt: skip


def test_the_guide_s_example_can_be_installed() -> None:
    page = (ROOT / "docs/operations/kubernetes.md").read_text(encoding="utf-8")
    [example] = re.findall(r"```yaml\n(# site\.yaml\n.*?)```", page, re.DOTALL)
    [more] = re.findall(r"```yaml\n(# secure\.yaml\n.*?)```", page, re.DOTALL)
    site = yaml.safe_load(example)
    try:
        [objects, known] = rendered([site, with_more(site, yaml.safe_load(more))])
    except Unavailable as reason:
        do_without(reason)
        return
    assert isinstance(objects, list), objects
    assert {each["kind"] for each in objects} >= {"Deployment", "Job", "Ingress", "NetworkPolicy"}
    assert isinstance(known, list), known
    running = {each["metadata"]["name"] for each in of_kind(known, "StatefulSet")}
    assert running == {"demo-registry", "demo-repository", "demo-audit"}
    for name in re.findall(r"create (?:secret \w+|configmap) (\S+)", page):
        assert name in f"{example}{more}", name
