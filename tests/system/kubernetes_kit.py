"""Values of small and large sites, and what the chart makes of them."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

from tests.servers.deploy_tools import rendered

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
def everything() -> tuple[dict[str, list[Object]], dict[str, list[Object] | str]]:
    found = rendered([*SITES.values(), *REFUSED.values()])
    sites = {name: each for name, each in zip(SITES, found, strict=False) if isinstance(each, list)}
    return sites, dict(zip(REFUSED, found[len(SITES) :], strict=True))


def of_kind(objects: list[Object], kind: str) -> list[Object]:
    """The objects of a kind."""
    return [each for each in objects if each["kind"] == kind]


def pods(objects: list[Object]) -> list[Object]:
    """The specs of all pods."""
    return [each["spec"]["template"]["spec"] for each in objects if each["kind"] in (*RUNNING, "Job")]


def containers(objects: list[Object]) -> list[Object]:
    """All containers."""
    return [each for pod in pods(objects) for each in pod["containers"]]
