"""The chart where it is known who calls: TLS, assertions, access decisions, and the audit trail with its repository."""

from __future__ import annotations

import json
import re

from common.settings import TABLE
from common.settings_sources import PREFIX
from tests.servers.deploy_tools import ROOT
from tests.servers.fixtures import do_without
from tests.servers.process import Unavailable
from tests.system.kubernetes_kit import (
    FULL,
    RUNNING,
    Object,
    containers,
    everything,
    of_kind,
)


def the_secure_site() -> list[Object]:
    """With everything that is for security; Unavailable."""
    return everything()[0]["secure"]


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
        sites = everything()[0]
    except Unavailable as reason:
        do_without(reason)
        return
    free = {*FULL["settings"], "patient_test_numbers"}
    for objects in sites.values():
        for container in containers(objects):
            named = {each["name"].removeprefix(PREFIX).lower() for each in container["env"] if PREFIX in each["name"]}
            assert named - free <= set(reserved)
