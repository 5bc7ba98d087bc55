#!/usr/bin/env python3
"""Holds a rendered compose file to what the deployment promises.

usage: scripts/check-compose.py FILE...

Each FILE is the output of `docker compose config`. Prints every broken promise; exit code 1 when there is one.
"""

import sys

import yaml

# The public image of NATS has no account of its own that owns its volume; it runs as root without any capability.
ROOT_IS_FINE = {"nats"}
# Their images name an account themselves.
OWN_ACCOUNT = {"otel-collector", "jaeger", "prometheus", "grafana"}
OURS = ("shopapi", "shopctl")


def problems(name, service):
    image = service["image"]
    tag = image.rpartition(":")[2] if ":" in image.rpartition("/")[2] else ""
    if tag in ("", "latest"):
        yield f"image {image} is not pinned by a version"
    if service.get("read_only") is not True:
        yield "its root file system can be written"
    if service.get("cap_drop") != ["ALL"] or service.get("cap_add"):
        yield "it keeps capabilities"
    if "no-new-privileges:true" not in service.get("security_opt", []):
        yield "it may gain privileges"
    if service.get("privileged") or service.get("pid") == "host" or service.get("network_mode") == "host":
        yield "it reaches into the host"
    if not service.get("mem_limit") or not service.get("pids_limit"):
        yield "it has no limit of memory or of processes"
    for port in service.get("ports", []):
        if port.get("host_ip") != "127.0.0.1":
            yield f"port {port.get('published')} is published beyond loopback"
    for key, value in (service.get("environment") or {}).items():
        secret = any(word in key for word in ("PASSWORD", "SECRET", "KEY", "DATABASE_URL"))
        if secret and value and not str(value).startswith("/"):
            yield f"{key} holds a value; only files may hold secrets"
    for mount in service.get("volumes", []):
        if mount["type"] == "bind" and not mount.get("read_only"):
            yield f"it may write {mount['source']} on the host"
    ours = any(part in image for part in OURS) and not image.startswith("shopapi-local/p") and "nats" not in image
    if service.get("user", "").startswith("0") and name not in ROOT_IS_FINE:
        yield "it runs as root"
    if not ours and "user" not in service and name not in ROOT_IS_FINE | OWN_ACCOUNT:
        yield "nobody says which account it runs as"


def main():
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        print(__doc__.strip())
        return 0 if len(sys.argv) > 1 else 2
    found = 0
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            services = yaml.safe_load(file)["services"]
        for name, service in sorted(services.items()):
            for problem in problems(name, service):
                found += 1
                print(f"{path}: {name}: {problem}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
