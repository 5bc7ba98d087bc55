"""The strict schemas of kubernetes-validate, with one registry per version: its own `validate` builds one for each object, which takes a minute."""

import functools
import re

from jsonschema.validators import Draft202012Validator
from kubernetes_validate import utils
from referencing import Registry, Resource


@functools.lru_cache(maxsize=None)
def registry(version):
    definitions = Resource.from_contents(utils.schema_contents(f"kubernetes-json-schema/v{full(version)}-local-strict/_definitions.json", version))
    return (definitions @ Registry()).crawl()


def full(version):
    wanted = utils.major_minor(version)
    found = [known for known in utils.all_versions() if utils.major_minor(known) == wanted]
    assert found, f"kubernetes-validate has no schemas of Kubernetes {version}"
    return found[-1]


@functools.lru_cache(maxsize=None)
def validator(version, api_version, kind):
    """None for kinds that Kubernetes itself does not have."""
    group = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", api_version)
    try:
        schema = utils.schema_contents(f"kubernetes-json-schema/v{full(version)}-local-strict/{kind.lower()}-{group}.json", version)
    except FileNotFoundError:
        return None
    return Draft202012Validator(schema, registry=Resource.from_contents(schema) @ registry(version))
