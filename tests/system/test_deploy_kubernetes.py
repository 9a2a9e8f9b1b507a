"""The chart: it renders for small and large sites, its objects are what Kubernetes takes, and secrets stay outside."""

from __future__ import annotations

import copy
import json
import re
from functools import cache
from typing import Any

import pytest
import yaml

from common.settings import TABLE, load
from common.settings_sources import PREFIX
from tests.servers.deploy_tools import ROOT, against_kubernetes, linted, rendered
from tests.servers.fixtures import do_without
from tests.servers.process import Unavailable

VERSIONS = ("1.27", "1.37")
RUNNING = ("Deployment", "StatefulSet")
Object = dict[str, Any]

USUAL: Object = {
    "database": {"existingSecret": "postgres"},
    "registry": {"url": "https://records.example/registry"},
    "repository": {
        "url": "https://records.example/repository",
        "uid": "2.999.7.1",
        "storage": {"s3": {"bucket": "documents", "endpoint": "https://s3.example", "existingSecret": "store"}},
    },
}


def with_more(base: Object, more: Object) -> Object:
    """Values with others laid over them; None takes one away."""
    found = copy.deepcopy(base)
    for key, value in more.items():
        found[key] = with_more(found.get(key) or {}, value) if isinstance(value, dict) else value
    return found


FULL = with_more(
    USUAL,
    {
        "image": {"repository": "registry.example/portolan", "tag": "0.2.0", "pullSecrets": [{"name": "pull"}]},
        "settings": {
            "log_level": "info",
            "trace_endpoint": "http://collector:4318",
            "trace_share": 0.1,
            "async_reply_to": "https://receiver.example",
        },
        "outbox": {"existingSecret": "postgres", "key": "outbox"},
        "codes": {"existingConfigMap": "codes"},
        "registry": {
            "autoscaling": {"enabled": True},
            "mllp": {"service": {"type": "LoadBalancer", "loadBalancerSourceRanges": ["10.0.0.0/8"]}},
            "podAnnotations": {"a": "b"},
            "nodeSelector": {"disk": "fast"},
            "tolerations": [{"key": "records", "operator": "Exists"}],
            "affinity": {"nodeAffinity": {}},
            "env": [{"name": "TZ", "value": "UTC"}],
        },
        "repository": {"autoscaling": {"enabled": True}, "storage": {"s3": {"region": "eu-west-2"}}},
        "identity": {
            "enabled": True,
            "url": "https://records.example/identity",
            "database": {"existingSecret": "identity"},
            "autoscaling": {"enabled": True},
        },
        "mllpTls": {"existingSecret": "mllp", "clientCaSecret": "mllp-clients"},
        "ingress": {"enabled": True, "className": "nginx", "host": "records.example", "tlsSecret": "tls",
                    "annotations": {"nginx.ingress.kubernetes.io/proxy-body-size": "4g"}},
        "networkPolicy": {
            "clients": [{"namespaceSelector": {"matchLabels": {"name": "ingress"}}}],
            "feeds": [{"ipBlock": {"cidr": "10.1.0.0/16"}}],
            "monitoring": [{"namespaceSelector": {}}],
            "database": {"to": [{"ipBlock": {"cidr": "10.2.0.0/16"}}]},
            "storage": {"to": [{"ipBlock": {"cidr": "10.3.0.0/16"}}]},
            "tracing": {"to": [{"namespaceSelector": {}}]},
            "more": [{"ports": [{"port": 443, "protocol": "TCP"}]}],
        },
        "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    },
)  # fmt: skip
FOLDER = with_more(
    USUAL,
    {
        "repository": {"storage": {"s3": {"bucket": ""}, "existingClaim": "shared"}},
        "registry": {"mllp": {"enabled": False}},
        "networkPolicy": {"enabled": False},
        "migration": {"enabled": False},
        "serviceAccount": {"create": False, "name": "own"},
    },
)
TLS: Object = {
    "tls": {"existingSecret": "node", "trustSecret": "ca", "crlSecret": "revoked", "peersConfigMap": "peers"},
    "ingress": {"enabled": False},
}
SECURE = with_more(
    FULL,
    {
        **TLS,
        "clients": {"rate": 50},
        "xua": {"mode": "required", "existingConfigMap": "xua", "audiences": ["https://records.example", "urn:x"]},
        "access": {"enabled": True, "policyConfigMap": "policy", "listed": True},
        "audit": {"enabled": True, "repositories": ["audit.elsewhere.example:6514"], "site": "ZT901",
                  "spool": {"storageClassName": "fast"}},
        "auditRepository": {
            "enabled": True,
            "url": "https://audit.example:8090/audit",
            "database": {"existingSecret": "trail"},
            "keySecret": "audit-key",
            "readersConfigMap": "readers",
        },
        "oauth": {"mode": "required", "issuer": "https://sts.example", "jwksConfigMap": "jwks",
                  "introspection": "https://sts.example/introspect", "client": "audit", "existingSecret": "oauth"},
        "mllpTls": {"existingSecret": "", "clientCaSecret": ""},
        "networkPolicy": {
            "auditReaders": [{"ipBlock": {"cidr": "10.4.0.0/16"}}],
            "auditSenders": [{"ipBlock": {"cidr": "10.5.0.0/16"}}],
            "auditRepositories": {"to": [{"ipBlock": {"cidr": "10.6.0.0/16"}}]},
        },
        "database": {"replica": {"existingSecret": "standby"}},
    },
)  # fmt: skip
SECRETS_MISSING = with_more(USUAL, {**TLS, "auditRepository": {"enabled": True, "url": "https://audit.example/audit",
                                    "database": {"existingSecret": "trail"}}})  # fmt: skip
SITES = {"usual": USUAL, "full": FULL, "folder": FOLDER, "secure": SECURE}
REFUSED = {
    "database.existingSecret": with_more(USUAL, {"database": {"existingSecret": ""}}),
    "registry.url": with_more(USUAL, {"registry": {"url": ""}}),
    "repository.url": with_more(USUAL, {"repository": {"url": ""}}),
    "repository.uid": with_more(USUAL, {"repository": {"uid": ""}}),
    "repository.storage must name": with_more(USUAL, {"repository": {"storage": {"s3": {"bucket": ""}}}}),
    "both a bucket and a claim": with_more(USUAL, {"repository": {"storage": {"existingClaim": "shared"}}}),
    "s3.existingSecret": with_more(USUAL, {"repository": {"storage": {"s3": {"existingSecret": ""}}}}),
    "outbox.existingSecret": with_more(USUAL, {"settings": {"async_reply_to": "https://receiver.example"}}),
    "identity.database.existingSecret": with_more(USUAL, {"identity": {"enabled": True, "url": "https://x.example/i"}}),
    "settings.s3_secret_key": with_more(USUAL, {"settings": {"s3_secret_key": "x"}}),
    "settings.database": with_more(USUAL, {"settings": {"database": "postgresql://u:p@h/n"}}),
    "settings.oauth_client_secret": with_more(USUAL, {"settings": {"oauth_client_secret": "x"}}),
    "settings.tls_key": with_more(USUAL, {"settings": {"tls_key": "/x"}}),
    "tls.trustSecret": with_more(USUAL, {**TLS, "tls": {"existingSecret": "node"}}),
    "an Ingress would": with_more(SECURE, {"ingress": {"enabled": True}}),
    "xua.mode is required, so tls": with_more(SECURE, {"tls": {"existingSecret": "", "crlSecret": "",
                                                               "peersConfigMap": ""}, "audit": {"enabled": False},
                                                       "auditRepository": {"enabled": False}}),
    "audit.enabled is set, so tls": with_more(USUAL, {"audit": {"enabled": True}}),
    "xua.existingConfigMap": with_more(SECURE, {"xua": {"existingConfigMap": ""}}),
    "access.enabled is set": with_more(USUAL, {"access": {"enabled": True}}),
    "records would wait for nobody": with_more(USUAL, {**TLS, "audit": {"enabled": True}}),
    "auditRepository.keySecret": SECRETS_MISSING,
    "auditRepository.database.existingSecret": with_more(SECURE, {"auditRepository": {"database": {
        "existingSecret": ""}}}),
    "oauth.existingSecret": with_more(SECURE, {"oauth": {"existingSecret": ""}}),
    "/xua/mode": with_more(USUAL, {"xua": {"mode": "on"}}),
    "/audit/spool/size": with_more(USUAL, {"audit": {"spool": {"size": "much"}}}),
    "/repository/uid": with_more(USUAL, {"repository": {"uid": "one.two"}}),
    "/registry/replicas": with_more(USUAL, {"registry": {"replicas": 0}}),
}  # fmt: skip


@cache
def _all() -> tuple[dict[str, list[Object]], dict[str, list[Object] | str]]:
    found = rendered([*SITES.values(), *REFUSED.values()])
    sites = {name: each for name, each in zip(SITES, found, strict=False) if isinstance(each, list)}
    return sites, dict(zip(REFUSED, found[len(SITES) :], strict=True))


@pytest.fixture(params=SITES)
def objects(request: pytest.FixtureRequest) -> list[Object]:
    """All objects of one site."""
    try:
        return _all()[0][request.param]
    except Unavailable as reason:
        do_without(reason)
        raise


def of_kind(objects: list[Object], kind: str) -> list[Object]:
    """The objects of a kind."""
    return [each for each in objects if each["kind"] == kind]


def pods(objects: list[Object]) -> list[Object]:
    """The specs of all pods."""
    return [each["spec"]["template"]["spec"] for each in objects if each["kind"] in (*RUNNING, "Job")]


def containers(objects: list[Object]) -> list[Object]:
    """All containers."""
    return [each for pod in pods(objects) for each in pod["containers"]]


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
        told = _all()[1][missing]
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
        sites = _all()[0]
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
        sites = _all()[0]
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


def the_secure_site() -> list[Object]:
    """With everything that is for security; Unavailable."""
    return _all()[0]["secure"]


def test_in_the_secure_shape_whoever_calls_is_known_and_what_they_do_is_kept() -> None:
    try:
        objects = the_secure_site()
    except Unavailable as reason:
        do_without(reason)
        return
    services = {each["metadata"]["name"].removeprefix("demo-"): each for each in objects if each["kind"] in RUNNING}
    assert {name: each["kind"] for name, each in services.items()} == dict.fromkeys(
        ("registry", "repository", "identity", "audit"), "StatefulSet"
    )
    for name, each in services.items():
        pod = each["spec"]["template"]["spec"]
        [container] = pod["containers"]
        told = {row["name"]: row.get("value", "") for row in container["env"]}
        mounted = {row["mountPath"] for row in container["volumeMounts"]}
        files = {value.rpartition("/")[0] for value in told.values() if value.startswith("/etc/portolan/")}
        assert files <= mounted
        assert {"/etc/portolan/tls", "/etc/portolan/trust", "/etc/portolan/revoked", "/etc/portolan/peers"} <= files
        assert told["PORTOLAN_CLIENT_RATE"] == "50"
        claims = {row["metadata"]["name"] for row in each["spec"]["volumeClaimTemplates"]}
        assert claims == ({"data", "checkpoints"} if name == "audit" else {"data"})
        volumes = {row["name"] for row in pod["volumes"]}
        assert not claims & volumes
        assert {row["name"] for row in container["volumeMounts"]} == claims | volumes
        prefix = "PORTOLAN_AUDIT_REPOSITORY" if name == "audit" else f"PORTOLAN_{name.upper()}"
        [probe] = [row["containerPort"] for row in container["ports"] if row["name"] == "probe"]
        assert told[f"{prefix}_PROBE_BIND"] == f"0.0.0.0:{probe}"
        probes = [container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")]
        assert {row["port"] for row in probes} == {"probe"}
        assert (told.get("PORTOLAN_XUA") == "required") is (name != "audit")
        assert (told.get("PORTOLAN_ACCESS") == "on") is (name in ("registry", "repository"))
        if name != "audit":
            assert told["PORTOLAN_AUDIT_REPOSITORIES"] == "demo-audit:6514,audit.elsewhere.example:6514"
    keys = [name for name, each in services.items() if "audit-key" in json.dumps(each["spec"]["template"])]
    assert keys == ["audit"]


def test_nobody_outside_reaches_what_is_told_without_tls() -> None:
    try:
        objects = the_secure_site()
    except Unavailable as reason:
        do_without(reason)
        return
    for each in of_kind(objects, "Service"):
        ports = {row["name"] for row in each["spec"]["ports"]}
        assert ("probe" in ports) is each["metadata"]["name"].endswith("-probe")
        if "probe" in ports:
            assert (ports, each["spec"]["clusterIP"]) == ({"probe"}, "None")
    [monitor] = of_kind(objects, "ServiceMonitor")
    assert [row["port"] for row in monitor["spec"]["endpoints"]] == ["probe"]
    policies = {each["metadata"]["name"]: each["spec"] for each in of_kind(objects, "NetworkPolicy")}
    for name in ("registry", "repository", "identity", "audit"):
        [only] = [
            row for row in policies[f"demo-{name}"]["ingress"] if {"port": "probe", "protocol": "TCP"} in row["ports"]
        ]
        assert only["from"] == FULL["networkPolicy"]["monitoring"]


def test_the_trail_is_read_and_written_by_those_who_are_listed() -> None:
    try:
        objects = the_secure_site()
    except Unavailable as reason:
        do_without(reason)
        return
    policies = {each["metadata"]["name"]: each["spec"] for each in of_kind(objects, "NetworkPolicy")}
    by_port = {row["ports"][0]["port"]: json.dumps(row["from"]) for row in policies["demo-audit"]["ingress"]}
    assert "10.4.0.0/16" in by_port["http"]
    assert "component" not in by_port["http"]
    assert "10.5.0.0/16" in by_port["syslog"]
    for name in ("registry", "repository", "identity"):
        assert f'"{name}"' in by_port["syslog"]
        leaves = json.dumps(policies[f"demo-{name}"]["egress"])
        assert '"audit"' in leaves
        assert "10.6.0.0/16" in leaves
    assert "10.6.0.0/16" not in json.dumps(policies["demo-audit"]["egress"])
    [job] = of_kind(objects, "Job")
    names = {each["name"] for each in job["spec"]["template"]["spec"]["containers"][0]["env"]}
    assert "PORTOLAN_AUDIT_REPOSITORY_DATABASE" in names


def test_what_has_a_place_in_the_values_and_every_secret_is_not_taken_from_the_settings() -> None:
    helpers = (ROOT / "deploy/helm/portolan/templates/_helpers.tpl").read_text(encoding="utf-8")
    [told] = re.findall(r'define "portolan.reserved" -\}\}\n(.*?)\{\{- end', helpers, re.DOTALL)
    reserved = told.split()
    assert set(reserved) <= set(TABLE)
    assert len(set(reserved)) == len(reserved)
    assert {name for name, row in TABLE.items() if row.secret} <= set(reserved)
    try:
        sites = _all()[0]
    except Unavailable as reason:
        do_without(reason)
        return
    free = {*FULL["settings"], "patient_test_numbers"}
    for objects in sites.values():
        for container in containers(objects):
            named = {each["name"].removeprefix(PREFIX).lower() for each in container["env"] if PREFIX in each["name"]}
            assert named - free <= set(reserved)


def test_only_the_services_own_addresses_are_let_through() -> None:
    try:
        [ingress] = of_kind(_all()[0]["full"], "Ingress")
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
