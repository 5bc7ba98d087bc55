"""Rendering the chart: the cases that are checked, and `helm template` for each."""

import functools
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import yaml

CHART = pathlib.Path(__file__).resolve().parent.parent / "shopapi"
HELMS = {"helm 3": os.environ.get("HELM3", "helm"), "helm 4": os.environ.get("HELM4", "helm4")}
OLDEST = "1.20.2"
VALIDATED = [f"1.{minor}" for minor in range(25, 38)]

ALL_OBJECTS = {
    "ingress": {"enabled": True, "hosts": ["shop.example.com"], "tlsSecret": "shop-tls"},
    "gatewayApi": {"enabled": True, "parentRefs": [{"name": "public"}], "hostnames": ["shop.example.com"]},
    "monitoring": {"serviceMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}, "dashboards": {"enabled": True}},
    "orders": {"autoscaling": {"enabled": True}, "extraEnv": {"RUST_BACKTRACE": 1}, "tolerations": [{"key": "a", "operator": "Exists"}]},
    "gateway": {"httpTlsSecret": "public-tls", "trustedProxies": ["10.244.0.0/16", "fd00::/8"], "service": {"annotations": {"a": "b"}}, "podAnnotations": {"c": "d"}},
    "nats": {"streamReplicas": 3, "bundled": {"replicas": 3}},
    "secrets": {"userJwtPrevious": True},
    "imagePullSecrets": ["registry"],
}
EXTERNAL = {
    "databases": {"mode": "external", "external": {"caSecret": {"name": "pg-ca"}}},
    "nats": {"mode": "external", "external": {"url": "nats://nats.nats:4222", "caSecret": {"name": "nats-ca"}}},
}

# name: (values files, values)
CASES = {
    "defaults": ([], {}),
    "local.yaml": (["local.yaml"], {}),
    "kind.yaml": (["kind.yaml"], {}),
    "prod.yaml": (["prod.yaml"], {}),
    "tls certManager": ([], {"tls": {"mode": "certManager"}}),
    "tls certManager, issuer of yours": ([], {"tls": {"mode": "certManager", "certManager": {"issuerRef": {"name": "x", "kind": "ClusterIssuer"}}}}),
    "tls existingSecret": ([], {"tls": {"mode": "existingSecret"}}),
    "tls and secrets existing": ([], {"tls": {"mode": "existingSecret"}, "secrets": {"mode": "existing"}}),
    "external databases and NATS": ([], EXTERNAL),
    "CloudNativePG": ([], {"databases": {"mode": "cloudnativepg"}, "tls": {"mode": "certManager"}}),
    "everything": ([], ALL_OBJECTS),
    "nothing beside": ([], {"collector": {"enabled": False}, "jaeger": {"enabled": False}, "networkPolicy": {"enabled": False}, "test": {"enabled": False}, "demoCatalogue": False}),
    "Jaeger operator": ([], {"jaeger": {"operator": {"enabled": True}}}),
    "another name": ([], {"fullnameOverride": "till"}),
}

# (values, words of the message, in Helm 3's and in Helm 4's spelling)
REFUSED = [
    ({"gatway": {"replicas": 3}}, ["gatway"]),
    ({"gateway": {"replica": 3}}, ["gateway", "replica"]),
    ({"payments": {"replicas": -1}}, ["payments", "replicas"]),
    ({"payments": {"replicas": "two"}}, ["payments", "replicas"]),
    ({"tls": {"mode": "cert-manager"}}, ["certManager", "existingSecret", "generated"]),
    ({"databases": {"mode": "rds"}}, ["bundled", "external", "cloudnativepg"]),
    ({"orders": {"resources": {"limits": {"memory": "lots"}}}}, ["orders", "resources", "memory"]),
    ({"telemetry": {"samplerRatio": 5}}, ["telemetry", "samplerRatio"]),
    ({"nats": {"mode": "external", "external": {"url": "http://plain:4222"}}}, ["nats", "url"]),
    ({"image": {"digest": "latest"}}, ["image", "digest"]),
    ({"nats": {"streamReplicas": 3}}, ["nats.streamReplicas is 3", "nats.bundled.replicas"]),
    ({"nats": {"streamReplicas": 0}}, ["nats", "streamReplicas"]),
    ({"nats": {"mode": "external"}}, ["nats.external.url is needed"]),
    ({"databases": {"mode": "external"}}, ["databases.external.caSecret.name is needed"]),
    ({"databases": {"mode": "cloudnativepg"}}, ["needs tls.mode certManager or existingSecret"]),
    ({"gateway": {"demoUsers": "a:b:c"}}, ["demoUsers is for mode dev only"]),
    ({"drainSeconds": 30}, ["terminationGracePeriodSeconds must be at least", "48"]),
    ({"jaeger": {"enabled": False, "operator": {"enabled": True}}}, ["jaeger.operator.enabled does nothing"]),
    ({"ingress": {"enabled": True}}, ["ingress.hosts is needed"]),
    ({"gatewayApi": {"enabled": True}}, ["parentRefs is needed"]),
    ({"ingress": {"enabled": True, "hosts": ["shop.example.com"]}}, ["gateway.trustedProxies is needed"]),
    ({"gatewayApi": {"enabled": True, "parentRefs": [{"name": "public"}]}}, ["gateway.trustedProxies is needed"]),
    ({"gateway": {"trustedProxies": ["0.0.0.0/0"]}}, ["gateway", "trustedProxies"]),
    ({"gateway": {"extraEnv": {"SHOPAPI_USER_JWT_SECRET": "x"}}}, ["is a secret"]),
    ({"inventory": {"autoscaling": {"enabled": True, "minReplicas": 5, "maxReplicas": 2}}}, ["inventory.autoscaling.maxReplicas"]),
]


def run_helm(helm, arguments, values):
    """Runs helm with values on its standard input."""
    return subprocess.run(
        [HELMS[helm], *arguments, "--values", "-"],
        input=json.dumps(values), capture_output=True, text=True, check=False, timeout=60,
    )


@functools.lru_cache(maxsize=None)
def text(case, helm, version):
    """What helm prints for a case, or an exception with what it said."""
    files, values = CASES[case]
    arguments = ["template", "shopapi", str(CHART), "--namespace", "shopapi", "--kube-version", version]
    for name in files:
        arguments += ["--values", str(CHART / name)]
    done = run_helm(helm, arguments, values)
    if done.returncode != 0:
        raise AssertionError(f"{case}, {helm}, Kubernetes {version}: {done.stderr.strip()}")
    return done.stdout


def release(name, values):
    """The objects of a release of another name."""
    done = run_helm("helm 3", ["template", name, str(CHART), "--namespace", "shopapi", "--kube-version", VALIDATED[-1]], values)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.load_all(done.stdout, Loader=yaml.CSafeLoader) if document]


def released_as(case, number):
    """The objects of a case when chart and program carry this version number."""
    files, values = CASES[case]
    with tempfile.TemporaryDirectory() as folder:
        chart = pathlib.Path(folder) / CHART.name
        shutil.copytree(CHART, chart)
        description = chart / "Chart.yaml"
        description.write_text(re.sub(r"^(version|appVersion): .*$", rf'\1: "{number}"', description.read_text(), flags=re.MULTILINE))
        arguments = ["template", "shopapi", str(chart), "--namespace", "shopapi", "--kube-version", VALIDATED[-1]]
        done = run_helm("helm 3", arguments + [f"--values={chart / name}" for name in files], values)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.load_all(done.stdout, Loader=yaml.CSafeLoader) if document]


@functools.lru_cache(maxsize=None)
def rendered(case, version=VALIDATED[-1]):
    """The objects of a case."""
    return [document for document in yaml.load_all(text(case, "helm 3", version), Loader=yaml.CSafeLoader) if document]
