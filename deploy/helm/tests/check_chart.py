#!/usr/bin/env python3
"""What can be known about the chart without a cluster. scripts/lint-helm.sh installs helm and runs this; each failure says what is wrong where.

It does not prove what only a cluster can: that NetworkPolicies are enforced, that PodSecurity admission agrees, that cert-manager, CloudNativePG, the
Prometheus and the Jaeger operator accept their objects (their kinds are not in Kubernetes' schemas).
"""

import json
import pathlib
import re
import sys
import time

import yaml

import plan
import schemas
from objects import containers, matches, name_of, of_kind, pod_templates, secrets_of_volume
from render import CASES, CHART, HELMS, OLDEST, REFUSED, VALIDATED, release, released_as, rendered, run_helm, text

ROOT = CHART.parent.parent.parent
PORT_NAMES = re.compile(r"^[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?$")
CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def every_case():
    for case in CASES:
        yield case, rendered(case)


@check
def both_helms_render_the_same_everywhere():
    """Helm 3 and Helm 4, oldest and newest Kubernetes."""
    for case in CASES:
        for version in (OLDEST, VALIDATED[-1]):
            # They differ in empty lines.
            three, four = ([line for line in text(case, helm, version).splitlines() if line.strip()] for helm in HELMS)
            assert three == four, f"{case}: Helm 3 and Helm 4 differ on Kubernetes {version}"


@check
def lint_is_clean():
    for helm in HELMS:
        for case, (files, values) in CASES.items():
            if helm == "helm 4" and case not in ("defaults", "everything", "prod.yaml"):
                continue
            arguments = ["lint", "--strict", "--quiet", "--kube-version", VALIDATED[-1], str(CHART)]
            for name in files:
                arguments += ["--values", str(CHART / name)]
            done = run_helm(helm, arguments, values)
            assert done.returncode == 0, f"{case}, {helm}: {done.stdout}{done.stderr}"


@check
def kubernetes_takes_every_object():
    """Strict schemas of 1.25 to 1.37: unknown fields are errors. Objects of the same shape are looked at once for each version."""
    assert not schemas.validator("1.30", "v1", "Service").is_valid({"apiVersion": "v1", "kind": "Service", "spec": {"prots": []}}), "nothing is refused"
    unknown = set()
    for version in VALIDATED:
        seen = set()
        for case in CASES:
            # The chart tells apart 1.20, 1.21, 1.23 and 1.30; from 1.25 on two renderings are all there are.
            for document in rendered(case, version="1.25" if int(version[2:]) < 30 else VALIDATED[-1]):
                shape = shape_of(document)
                if shape in seen:
                    continue
                seen.add(shape)
                strict = schemas.validator(version, document["apiVersion"], document["kind"])
                if strict is None:
                    unknown.add(f"{document['apiVersion']} {document['kind']}")
                    continue
                for error in strict.iter_errors(document):
                    raise AssertionError(f"{case}, Kubernetes {version}: {name_of(document)}: {error.json_path}: {error.message[:300]}")
    expected = {"cert-manager.io/v1 Certificate", "cert-manager.io/v1 Issuer", "gateway.networking.k8s.io/v1 HTTPRoute", "jaegertracing.io/v1 Jaeger",
                "monitoring.coreos.com/v1 PrometheusRule", "monitoring.coreos.com/v1 ServiceMonitor", "postgresql.cnpg.io/v1 Cluster"}
    assert unknown == expected, f"kinds without a schema: {unknown ^ expected}"


def shape_of(document):
    def strip(value):
        if isinstance(value, dict):
            return {key: strip(child) for key, child in value.items()}
        if isinstance(value, list):
            return [strip(child) for child in value]
        return "" if isinstance(value, str) else value
    data = document["kind"] in ("ConfigMap", "Secret")
    body = {key: value for key, value in document.items() if not (data and key in ("data", "stringData"))}
    return json.dumps([document["apiVersion"], document["kind"], strip(body)], sort_keys=True)


@check
def old_clusters_get_old_apis():
    versions = {(d["apiVersion"], d["kind"]) for d in rendered("everything", version=OLDEST)}
    for pair in (("policy/v1beta1", "PodDisruptionBudget"), ("autoscaling/v2beta2", "HorizontalPodAutoscaler"), ("batch/v1beta1", "CronJob")):
        assert pair in versions, f"Kubernetes 1.20 must get {pair}"
    text = json.dumps(rendered("everything", version=OLDEST))
    assert '"sleep": {' not in text, "1.20 has no sleep action"
    assert '"grpc": {' not in text, "1.20 has no gRPC probes"


@check
def names_are_unique():
    for case, documents in every_case():
        seen = set()
        for document in documents:
            assert name_of(document) not in seen, f"{case}: {name_of(document)} twice"
            seen.add(name_of(document))


@check
def selectors_match():
    """A Service, budget, autoscaler, policy or monitor that selects nothing is a mistake."""
    for case, documents in every_case():
        labels = [metadata["labels"] for _, metadata, _ in pod_templates(documents)]
        services = of_kind(documents, "Service")
        # CloudNativePG makes the pods of its Clusters, with the labels that `inheritedMetadata` gives them.
        labels += [d["spec"]["inheritedMetadata"]["labels"] for d in of_kind(documents, "Cluster")]
        for document in of_kind(documents, "Deployment", "StatefulSet"):
            selector = document["spec"]["selector"]["matchLabels"]
            assert matches(selector, document["spec"]["template"]["metadata"]["labels"]), f"{case}: {name_of(document)} does not select its pods"
        for document in of_kind(documents, "Deployment", "StatefulSet"):
            others = [d for d in of_kind(documents, "Deployment", "StatefulSet") if d is not document]
            for other in others:
                selector = document["spec"]["selector"]["matchLabels"]
                assert not matches(selector, other["spec"]["template"]["metadata"]["labels"]), f"{case}: {name_of(document)} selects pods of {name_of(other)}"
        for document in services:
            assert any(matches(document["spec"]["selector"], one) for one in labels), f"{case}: {name_of(document)} selects nothing"
        for document in of_kind(documents, "PodDisruptionBudget"):
            assert any(matches(document["spec"]["selector"]["matchLabels"], one) for one in labels), f"{case}: {name_of(document)} selects nothing"
        for document in of_kind(documents, "ServiceMonitor"):
            chosen = [s for s in services if matches(document["spec"]["selector"]["matchLabels"], s["metadata"]["labels"])]
            for endpoint in document["spec"]["endpoints"]:
                assert any(endpoint["port"] == port["name"] for s in chosen for port in s["spec"]["ports"]), f"{case}: ServiceMonitor port {endpoint['port']}"
        for document in of_kind(documents, "HorizontalPodAutoscaler"):
            target = document["spec"]["scaleTargetRef"]["name"]
            found = [d for d in of_kind(documents, "Deployment") if d["metadata"]["name"] == target]
            assert found and "replicas" not in found[0]["spec"], f"{case}: {name_of(document)} and its Deployment disagree"
        for document in of_kind(documents, "NetworkPolicy"):
            assert any(matches(document["spec"]["podSelector"]["matchLabels"], one) for one in labels), f"{case}: {name_of(document)} selects nothing"
            for rule in (document["spec"].get("ingress") or []) + (document["spec"].get("egress") or []):
                for peer in rule.get("from", []) + rule.get("to", []):
                    selector = peer.get("podSelector", {}).get("matchLabels", {})
                    assert any(matches(selector, one) for one in labels), f"{case}: {name_of(document)} names a peer that is not there: {selector}"
        for document in of_kind(documents, "StatefulSet"):
            assert any(s["metadata"]["name"] == document["spec"]["serviceName"] for s in services), f"{case}: {name_of(document)} has no Service"


@check
def every_port_exists():
    """Ports of Services, probes, Ingress and HTTPRoute lead to a port of a container."""
    for case, documents in every_case():
        pods = list(pod_templates(documents))
        services = {d["metadata"]["name"]: d for d in of_kind(documents, "Service")}
        for service in services.values():
            for port in service["spec"]["ports"]:
                assert port["protocol"] == "TCP", f"{case}: {name_of(service)}: no protocol"
                for document, metadata, pod in pods:
                    if matches(service["spec"]["selector"], metadata["labels"]):
                        assert any(port["targetPort"] == p["name"] for c in pod["containers"] for p in c.get("ports", [])), \
                            f"{case}: {name_of(service)} port {port['name']} is no port of {name_of(document)}"
        for document, _, pod in pods:
            for container in containers(pod):
                names = {port["name"]: port for port in container.get("ports", [])}
                for port in names.values():
                    assert PORT_NAMES.match(port["name"]) and port["protocol"] == "TCP", f"{case}: {name_of(document)}: port {port}"
                for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
                    for action in ("httpGet", "tcpSocket"):
                        probe = container.get(kind, {}).get(action)
                        assert not probe or probe["port"] in names, f"{case}: {name_of(document)}: {kind} asks port {probe}"
        for document in of_kind(documents, "Ingress"):
            for rule in document["spec"]["rules"]:
                for path in rule["http"]["paths"]:
                    backend = path["backend"]["service"]
                    assert any(backend["port"]["name"] == p["name"] for p in services[backend["name"]]["spec"]["ports"]), f"{case}: Ingress"
        for document in of_kind(documents, "HTTPRoute"):
            for backend in document["spec"]["rules"][0]["backendRefs"]:
                assert any(backend["port"] == p["port"] for p in services[backend["name"]]["spec"]["ports"]), f"{case}: HTTPRoute"


@check
def probes_ask_for_what_the_services_serve():
    """The paths are taken from the code that serves them."""
    health = (ROOT / "services/support/health/src/server.rs").read_text()
    gateway = "".join(path.read_text() for path in (ROOT / "services/gateway/src").rglob("*.rs"))
    for document, _, pod in pod_templates(rendered("defaults")):
        component = document["metadata"]["labels"]["app.kubernetes.io/component"]
        if component not in ("gateway", "orders", "inventory", "payments"):
            continue
        container = pod["containers"][0]
        assert container["livenessProbe"]["httpGet"]["path"] == container["startupProbe"]["httpGet"]["path"] == "/livez", component
        assert container["readinessProbe"]["httpGet"]["path"] == "/readyz", component
    for source in (health, gateway):
        assert "/livez" in source and "/readyz" in source, "the services serve other health paths"


@check
def every_mount_exists():
    """Volumes, ConfigMaps, Secrets with their keys, ServiceAccounts: there, or meant to be brought from outside."""
    for case, documents in every_case():
        maps = {d["metadata"]["name"]: d for d in of_kind(documents, "ConfigMap")}
        accounts = {d["metadata"]["name"] for d in of_kind(documents, "ServiceAccount")}
        made = plan.keys_made(documents)
        brought = plan.keys_brought(CASES[case], documents)
        for document, _, pod in pod_templates(documents):
            where = f"{case}: {name_of(document)}"
            volumes = {volume["name"]: volume for volume in pod.get("volumes", [])}
            account = pod.get("serviceAccountName")
            assert account is None or account in accounts, f"{where}: ServiceAccount {account}"
            mounted = {mount["name"] for c in containers(pod) for mount in c.get("volumeMounts", [])}
            claims = {t["metadata"]["name"] for t in document["spec"].get("volumeClaimTemplates", [])}
            assert mounted <= volumes.keys() | claims, f"{where}: mounts without a volume {mounted - volumes.keys() - claims}"
            assert volumes.keys() <= mounted, f"{where}: volumes without a mount {volumes.keys() - mounted}"
            for volume in volumes.values():
                if "configMap" in volume:
                    assert volume["configMap"]["name"] in maps, f"{where}: ConfigMap {volume['configMap']['name']}"
                for secret, key in secrets_of_volume(volume):
                    known = made.get(secret, set()) | brought.get(secret, set())
                    assert known, f"{where}: Secret {secret} comes from nowhere"
                    assert key is None or key in known, f"{where}: Secret {secret} has no key {key}, only {sorted(known)}"
            for container in containers(pod):
                paths = [mount["mountPath"] for mount in container.get("volumeMounts", [])]
                assert len(paths) == len(set(paths)), f"{where}: two mounts at one path"
                for variable in container.get("env", []):
                    path = variable.get("value", "")
                    if variable["name"].endswith(("_FILE", "_DIR", "_KEY", "_CA", "_KEYS")) and path.startswith("/"):
                        assert any(path == mount or path.startswith(mount + "/") for mount in paths), f"{where}: {variable['name']}={path} is not mounted"


@check
def every_secret_is_filled_only_with_the_rights_for_it():
    """The pki Job may get and patch exactly the Secrets that the chart makes empty, and fills each."""
    for case, documents in every_case():
        secrets = {d["metadata"]["name"] for d in of_kind(documents, "Secret")}
        for document in of_kind(documents, "Secret"):
            assert not document.get("data") and not document.get("stringData"), f"{case}: {name_of(document)} shows a value"
        allowed = set()
        for role in of_kind(documents, "Role"):
            for rule in role["rules"]:
                assert rule["resources"] == ["secrets"] and set(rule["verbs"]) == {"get", "patch"}, f"{case}: {name_of(role)} may too much"
                allowed |= set(rule["resourceNames"])
        assert allowed == secrets, f"{case}: Secrets and rights differ: {allowed ^ secrets}"
        assert plan.keys_made(documents, only_plan=True).keys() == secrets, f"{case}: the plan and the Secrets differ"


@check
def every_pod_is_restricted():
    """PodSecurity `restricted`, written out, and limits."""
    for case, documents in every_case():
        for document, _, pod in pod_templates(documents):
            where = f"{case}: {name_of(document)}"
            assert pod["enableServiceLinks"] is False, f"{where}: Kubernetes would add SHOPAPI_ variables"
            api = document["metadata"]["labels"]["app.kubernetes.io/component"] == "pki"
            assert pod["automountServiceAccountToken"] is api, f"{where}: a token that nobody needs"
            context = pod["securityContext"]
            assert context["runAsNonRoot"] is True and context["runAsUser"] > 0 and context["seccompProfile"] == {"type": "RuntimeDefault"}, where
            assert not pod.get("hostNetwork") and not pod.get("hostPID") and not pod.get("hostIPC"), where
            for volume in pod.get("volumes", []):
                assert volume.keys() & {"configMap", "secret", "emptyDir", "projected"}, f"{where}: volume {volume['name']}"
            for container in containers(pod):
                inner = container["securityContext"]
                assert inner["allowPrivilegeEscalation"] is False and inner["readOnlyRootFilesystem"] is True, where
                assert inner["capabilities"] == {"drop": ["ALL"]} and inner["runAsNonRoot"] is True, where
                assert inner["seccompProfile"] == {"type": "RuntimeDefault"}, where
                assert container["resources"]["limits"].get("memory"), f"{where}: no memory limit"
                assert container["resources"]["requests"].get("cpu") and container["resources"]["requests"].get("memory"), f"{where}: no requests"
                assert not container["image"].endswith(":latest") and ":" in container["image"], f"{where}: image {container['image']}"
        for account in of_kind(documents, "ServiceAccount"):
            assert account["automountServiceAccountToken"] is False, f"{case}: {name_of(account)}"


@check
def no_pod_leaves_before_its_successor_is_ready():
    for case, documents in every_case():
        for document, _, pod in pod_templates(documents):
            component = document["metadata"]["labels"]["app.kubernetes.io/component"]
            if component not in ("gateway", "orders", "inventory", "payments"):
                continue
            where = f"{case}: {name_of(document)}"
            assert document["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}, where
            is_prod = case == "prod.yaml"
            # 30 s of CoreDNS' cache and a look-up of ours, where nobody knows how the cluster's DNS is set.
            assert document["spec"]["minReadySeconds"] == (40 if is_prod else 10), f"{where}: its successor may be unknown when it leaves"
            stop, drain = pod["containers"][0]["lifecycle"]["preStop"], 15 if is_prod else 5
            assert stop == {"sleep": {"seconds": drain}}, f"{where}: {stop}"
            assert pod["terminationGracePeriodSeconds"] >= drain + 15 + 3, where
    for document, _, pod in pod_templates(rendered("defaults", version=OLDEST)):
        if document["metadata"]["labels"]["app.kubernetes.io/component"] == "orders":
            program = pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][0]
            # The images have no shell, so this is the path of our own program in deploy/Dockerfile.
            assert re.search(rf"COPY --from=build \S+ {re.escape(program)}$", (ROOT / "deploy/Dockerfile").read_text(), re.MULTILINE), program


@check
def another_version_of_ours_restarts_no_server_of_others():
    """PostgreSQL, NATS, Collector and Jaeger are single pods: a changed label in their template would be an outage with each release."""
    old, new = ({name_of(d): d for d in released_as("everything", number)} for number in ("7.0.1", "7.0.2"))
    assert old["Deployment/shopapi-orders"] != new["Deployment/shopapi-orders"], "the two renderings have the same version"
    servers = [name for name, document in old.items() if document["kind"] == "StatefulSet"] + ["Deployment/shopapi-otel-collector", "Deployment/shopapi-jaeger"]
    assert len(servers) == 7, servers
    for name in servers:
        assert old[name]["spec"]["template"] == new[name]["spec"]["template"], f"{name} restarts with another version of the chart"
        assert old[name]["spec"].get("volumeClaimTemplates") == new[name]["spec"].get("volumeClaimTemplates"), f"{name}: its volumes cannot be changed"


@check
def migrations_are_hooks_only_where_the_databases_are_there_before():
    for case, documents in every_case():
        external = "external" in json.dumps(CASES[case]) and "databases" in json.dumps(CASES[case]) or case == "prod.yaml"
        jobs = [d for d in of_kind(documents, "Job") if "-migrate-" in d["metadata"]["name"]]
        assert len(jobs) == 5, f"{case}: one Job per database, not {len(jobs)}"
        for job in jobs:
            # Without it a rollback over a migration fails, and with it that of the services.
            assert job["spec"]["template"]["spec"]["containers"][0]["args"] == ["migrate", "--allow-newer"], f"{case}: {name_of(job)}"
            hook = job["metadata"].get("annotations", {}).get("helm.sh/hook")
            assert hook == ("pre-install,pre-upgrade" if external else None), f"{case}: {name_of(job)} hook {hook}"
            if external:
                # What is part of the release is not there when hooks run.
                assert "serviceAccountName" not in job["spec"]["template"]["spec"], f"{case}: {name_of(job)}"
            if case == "defaults":
                assert job["spec"]["template"]["spec"]["initContainers"][0]["name"] == "wait-for-database", name_of(job)


@check
def external_servers_stand_beside_the_release():
    """What scripts/k8s-external.sh makes of this chart: servers under the names that the URLs have, which nothing of the release takes for its own."""
    script = (ROOT / "scripts/k8s-external.sh").read_text()
    settings = {"fullnameOverride": "shopapi", "tls": {"mode": "existingSecret"}, "secrets": {"mode": "existing"}}
    assert 'servers=$RELEASE-databases' in script and script.count("--set tls.mode=existingSecret --set secrets.mode=existing") == 2, "the script installs otherwise"
    kinds = ("ConfigMap", "Service", "ServiceAccount", "StatefulSet")
    servers = [d for d in release("shopapi-databases", settings) if d["kind"] in kinds and d["metadata"]["labels"]["app.kubernetes.io/component"].endswith("db")]
    external = {"databases": {"mode": "external", "external": {"caSecret": {"name": "shopapi-database-ca"}}}}
    ours = release("shopapi", {**settings, **external})
    names = {name_of(d) for d in servers}
    assert len(names) == 17 and not names & {name_of(d) for d in ours}, names & {name_of(d) for d in ours}
    for name in ("gateway", "orders", "inventory", "payments"):
        assert f"Service/shopapi-{name}-db" in names, "the host in the URLs of scripts/k8s-secrets.sh"
    for _, metadata, _ in pod_templates(servers):
        for document in ours:
            selector = document["spec"].get("podSelector", document["spec"].get("selector", {})) if document["kind"] in ("NetworkPolicy", "Service", "Deployment") else None
            selector = selector.get("matchLabels", selector) if selector else None
            assert not selector or not matches(selector, metadata["labels"]), f"{name_of(document)} selects a server"


@check
def environment_is_what_the_services_read():
    """Each SHOPAPI_ variable is known to config.rs; a spelling mistake would stop the service."""
    known = set()
    for path in (ROOT / "services/shopapi/src").rglob("*.rs"):
        known |= set(re.findall(r"SHOPAPI_[A-Z_]+", path.read_text()))
    for case, documents in every_case():
        for document, _, pod in pod_templates(documents):
            for container in containers(pod):
                for variable in container.get("env", []):
                    name = variable["name"]
                    if name.startswith("SHOPAPI_"):
                        assert name in known or name.removesuffix("_FILE") in known, f"{case}: {name_of(document)}: {name}"
                    secret = re.search(r"PASSWORD|SECRET|TOKEN", name) and not name.endswith("_FILE")
                    assert not secret, f"{case}: {name_of(document)}: {name} puts a secret into the environment"


@check
def proxies_are_told_to_the_gateway():
    for document, _, pod in pod_templates(rendered("everything")):
        told = [one["value"] for one in pod["containers"][0].get("env", []) if one["name"] == "SHOPAPI_TRUSTED_PROXIES"]
        wanted = ["10.244.0.0/16,fd00::/8"] if name_of(document) == "Deployment/shopapi-gateway" else []
        assert told == wanted, f"{name_of(document)}: {told}"


@check
def streams_have_as_many_copies_as_there_are_servers_meant_for_them():
    for case, wanted in (("defaults", None), ("everything", "3"), ("prod.yaml", "3")):
        told = {name_of(d): one["value"] for d, _, pod in pod_templates(rendered(case)) for one in pod["containers"][0].get("env", [])
                if one["name"] == "SHOPAPI_NATS_STREAM_REPLICAS"}
        assert told == ({"Deployment/shopapi-orders": wanted, "Deployment/shopapi-payments": wanted} if wanted else {}), f"{case}: {told}"


@check
def traces_find_their_store():
    """The Service that the Jaeger operator makes has another name than ours, and the collector must be let out to it."""
    for case, wanted in (("defaults", "shopapi-jaeger:4317"), ("Jaeger operator", "shopapi-jaeger-collector:4317"), ("prod.yaml", "jaeger-collector.observability:4317")):
        documents = rendered(case)
        told = [one["value"] for _, _, pod in pod_templates(documents) for one in pod["containers"][0].get("env", []) if one["name"] == "JAEGER_OTLP_ENDPOINT"]
        assert told == [wanted], f"{case}: {told}"
        policy = next(d for d in of_kind(documents, "NetworkPolicy") if d["metadata"]["name"] == "shopapi-otel-collector")
        ports = [port["port"] for rule in policy["spec"]["egress"] or [] for port in rule["ports"]]
        assert ports == [4317], f"{case}: the collector may call {ports}"


@check
def nobody_tests_with_orders_in_production():
    pods = [name_of(d) for d in of_kind(rendered("prod.yaml"), "Pod")]
    assert not pods, f"{pods}: `helm test` orders, counts, and wants nobody else to"


@check
def roles_are_those_of_the_development_stack():
    """Names and time limits in the bundled servers' SQL against services/support/devstack/src/roles.rs."""
    source = (ROOT / "services/support/devstack/src/roles.rs").read_text()
    specs = re.findall(r'spec\("(\w+)", "(\w+)", "(\w+)"\)', source)
    assert len(specs) == 5, "roles.rs reads otherwise than this check"
    limits = {}
    for kind, body in re.findall(r"const (\w+)_LIMITS: Limits = Limits \{(.*?)\}", source, re.DOTALL):
        limits[kind] = re.findall(r': "(\w+)"', body)
    sql = "\n".join(d["data"]["roles.sql"] for d in of_kind(rendered("defaults"), "ConfigMap") if "roles.sql" in d["data"])
    wanted = [(runtime, limits["RUNTIME"]) for runtime, _, _ in specs] + [(owner, limits["OWNER"]) for _, _, owner in specs] + [("shopapi_audit", limits["AUDIT"])]
    for role, (statement, lock, idle) in wanted:
        for setting, value in (("statement_timeout", statement), ("lock_timeout", lock), ("idle_in_transaction_session_timeout", idle)):
            assert f"ALTER ROLE {role} SET {setting} = '{value}';" in sql, f"{role}: {setting} is {value} in roles.rs"
    for _, database, owner in specs:
        assert f"CREATE DATABASE {database} OWNER {owner}" in sql, database
    # The same with CloudNativePG, apart from how roles and databases are made.
    ours = {line.removesuffix(";") for line in sql.splitlines() if re.match(r"ALTER ROLE \w+ SET|REVOKE|GRANT", line)}
    theirs = []
    for cluster in of_kind(rendered("CloudNativePG"), "Cluster"):
        initdb = cluster["spec"]["bootstrap"]["initdb"]
        theirs += initdb["postInitSQL"] + initdb["postInitApplicationSQL"]
        made = {initdb["owner"]} | {line.split()[2] for line in theirs if line.startswith("CREATE ROLE")}
        managed = {role["name"] for role in cluster["spec"]["managed"]["roles"]}
        assert managed <= made, f"{name_of(cluster)}: {managed - made} would have no limits"
    missing = ours - set(theirs)
    assert len(ours) == 44 and not missing, f"CloudNativePG: {missing or len(ours)}"


@check
def the_operator_of_the_databases_follows_their_secrets():
    documents = rendered("CloudNativePG")
    certificates = [d["spec"].get("secretTemplate", {}).get("labels", {}) for d in of_kind(documents, "Certificate") if not d["spec"].get("isCA")]
    secrets = [d["metadata"]["labels"] for d in of_kind(documents, "Secret")]
    assert certificates and secrets
    for labels in certificates + secrets:
        assert labels.get("cnpg.io/reload") == "true", f"the operator would not see a change: {labels}"
    assert "cnpg.io/reload" not in json.dumps(rendered("defaults")), "a label that nobody reads"


@check
def wrong_values_are_refused_with_readable_words():
    for helm in HELMS:
        for values, words in REFUSED:
            done = run_helm(helm, ["template", "x", str(CHART)], values)
            assert done.returncode != 0, f"{helm} takes {values}"
            missing = [word for word in words if word not in done.stderr]
            assert not missing, f"{helm}: {values}: {missing} not in: {done.stderr}"


@check
def the_schema_knows_every_value_and_nothing_else():
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())

    def compare(path, schema_part, value):
        while "$ref" in schema_part:
            schema_part = schema["$defs"][schema_part["$ref"].rsplit("/", 1)[1]]
        if not isinstance(value, dict) or "properties" not in schema_part:
            if isinstance(value, dict):
                assert "additionalProperties" in schema_part or path in ("jaeger.operator.spec",) or path.endswith(".affinity"), f"{path}: not described"
            return
        assert schema_part["additionalProperties"] is False, f"{path}: unknown keys are taken"
        extra = set(schema_part["properties"]) - set(value) - {"global"}
        optional = path.endswith(("resources", "limits", "requests", "image"))
        assert optional or not extra, f"{path}: in the schema but not in values.yaml: {extra}"
        for key, child in value.items():
            assert key in schema_part["properties"], f"{path}.{key}: in values.yaml but not in the schema"
            compare(f"{path}.{key}".lstrip("."), schema_part["properties"][key], child)

    compare("", schema, values)


def main():
    failed = 0
    for function in CHECKS:
        began = time.monotonic()
        try:
            function()
            print(f"  ok   {function.__name__.replace('_', ' ')} ({time.monotonic() - began:.1f} s)")
        except AssertionError as error:
            failed += 1
            print(f"  FAIL {function.__name__.replace('_', ' ')}\n       {error}")
    print(f"chart: {len(CHECKS) - failed} checks passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
