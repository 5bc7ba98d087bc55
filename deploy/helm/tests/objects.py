"""Walking through rendered objects."""


def name_of(document):
    return f"{document['kind']}/{document['metadata']['name']}"


def of_kind(documents, *kinds):
    return [document for document in documents if document["kind"] in kinds]


def pod_templates(documents):
    """(object, metadata, spec) of every pod that the objects make."""
    for document in documents:
        kind, spec = document["kind"], document.get("spec", {})
        if kind in ("Deployment", "StatefulSet", "Job"):
            template = spec["template"]
        elif kind == "CronJob":
            template = spec["jobTemplate"]["spec"]["template"]
        elif kind == "Pod":
            template = document
        else:
            continue
        yield document, template["metadata"], template["spec"]


def containers(pod):
    return pod.get("initContainers", []) + pod["containers"]


def matches(selector, labels):
    return all(labels.get(key) == value for key, value in selector.items())


def secrets_of_volume(volume):
    """(secret, key or None for all) that a volume mounts."""
    sources = [volume["secret"]] if "secret" in volume else []
    for source in volume.get("projected", {}).get("sources", []):
        if "secret" in source:
            sources.append({"secretName": source["secret"]["name"], "items": source["secret"].get("items")})
    for source in sources:
        for item in source.get("items") or [{"key": None}]:
            yield source["secretName"], item["key"]
