"""Which keys each Secret will hold: from the plan of the pki Job, from cert-manager, or from whoever installs."""

import json

import yaml

from objects import of_kind
from render import CHART

TLS = {"tls.crt", "tls.key", "ca.crt"}
DATABASES = ("gateway", "orders", "inventory", "payments", "provider")


def keys_made(documents, only_plan=False):
    made = {}

    def add(secret, *keys):
        made.setdefault(secret, set()).update(keys)

    for document in of_kind(documents, "ConfigMap"):
        if "plan.json" not in document["data"]:
            continue
        plan = json.loads(document["data"]["plan.json"])
        if "authority" in plan:
            add(plan["authority"], "ca.crt", "ca.key")
        for one in plan["certificates"]:
            add(one["secret"], *TLS)
        for one in plan["service_keys"]:
            add(one["secret"], "jwt.key")
            add(plan["public_keys"], f"{one['name']}.pem")
        for one in plan["texts"]:
            add(one["secret"], one["key"])
    if not only_plan:
        for document in of_kind(documents, "Certificate"):
            add(document["spec"]["secretName"], *TLS)
    return made


def keys_brought(case, documents):
    """What the chart leaves to others, by its own rules."""
    files, values = case
    merged = yaml.safe_load((CHART / "values.yaml").read_text())
    for layer in [yaml.safe_load((CHART / name).read_text()) for name in files] + [values]:
        merge(merged, layer)
    brought = {}
    prefix = merged["fullnameOverride"] or "shopapi"
    if merged["tls"]["mode"] == "existingSecret":
        for name in ("gateway", "orders", "inventory", "payments", "shopctl", "nats", "postgres"):
            brought[f"{prefix}-tls-{name}"] = TLS
    if merged["secrets"]["mode"] == "existing":
        signers = ("gateway", "orders", "inventory", "payments", "shopctl")
        for name in signers:
            brought[f"{prefix}-service-key-{name}"] = {"jwt.key"}
        brought[f"{prefix}-service-keys-public"] = {f"{name}.pem" for name in signers}
        brought[f"{prefix}-user-jwt"] = {"secret"}
    if merged["secrets"]["userJwtPrevious"]:
        brought[f"{prefix}-user-jwt"] = {"secret", "previous"}
    if merged["secrets"]["mode"] == "existing" or merged["databases"]["mode"] == "external":
        for name in DATABASES:
            for role in ("runtime", "owner", "audit"):
                brought[f"{prefix}-{name}-db-{role}"] = {"url", "password"}
    if merged["secrets"]["mode"] == "existing" and merged["databases"]["mode"] == "bundled":
        for name in ("gateway", "orders", "inventory", "payments"):
            brought[f"{prefix}-{name}-db-superuser"] = {"password"}
    for place in (merged["databases"]["external"], merged["nats"]["external"]):
        if place["caSecret"]["name"]:
            brought[place["caSecret"]["name"]] = {place["caSecret"]["key"]}
    if merged["gateway"]["httpTlsSecret"]:
        brought[merged["gateway"]["httpTlsSecret"]] = TLS
    return brought


def merge(base, layer):
    for key, value in layer.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            merge(base[key], value)
        else:
            base[key] = value
