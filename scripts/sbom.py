#!/usr/bin/env python3
"""The bill of materials of a binary, in CycloneDX 1.6 JSON.

usage: scripts/sbom.py PACKAGE [TARGET]

Lists every crate that cargo links into the binary of PACKAGE on TARGET (default: this machine), with version, licence, source and checksum from
Cargo.lock, and who needs whom. Crates used only by build scripts, macros and tests are left out. Features are those of the whole workspace, so an
optional crate that only another member switches on may be listed without being linked. The same input gives the same output.
"""

import json
import subprocess
import sys
import tomllib
import uuid


def metadata(target):
    command = ["cargo", "metadata", "--locked", "--format-version", "1"]
    if target:
        command += ["--filter-platform", target]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def closure(root, nodes, packages):
    """Ids of what is linked: normal dependencies, without what runs inside the compiler."""
    found, open_ids = {}, [root]
    while open_ids:
        package_id = open_ids.pop()
        if package_id in found:
            continue
        needs = []
        for dependency in nodes[package_id]["deps"]:
            normal = any(kind["kind"] is None for kind in dependency["dep_kinds"])
            macro = any("proc-macro" in target["kind"] for target in packages[dependency["pkg"]]["targets"])
            if normal and not macro:
                needs.append(dependency["pkg"])
        found[package_id] = sorted(needs)
        open_ids += needs
    return found


def reference(package):
    return f"pkg:cargo/{package['name']}@{package['version']}"


def component(package, checksums):
    entry = {
        "type": "library",
        "bom-ref": reference(package),
        "name": package["name"],
        "version": package["version"],
        "purl": reference(package),
    }
    if package.get("license"):
        # Crates from before SPDX wrote a slash for "or".
        entry["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    checksum = checksums.get((package["name"], package["version"]))
    if checksum:
        entry["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    if package.get("repository"):
        entry["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    return entry


def main():
    if len(sys.argv) not in (2, 3) or sys.argv[1].startswith("-"):
        print(__doc__.strip(), file=sys.stdout if sys.argv[1:] in (["-h"], ["--help"]) else sys.stderr)
        return 0 if sys.argv[1:] in (["-h"], ["--help"]) else 2
    name = sys.argv[1]
    meta = metadata(sys.argv[2] if len(sys.argv) == 3 else None)
    packages = {package["id"]: package for package in meta["packages"]}
    nodes = {node["id"]: node for node in meta["resolve"]["nodes"]}
    roots = [member for member in meta["workspace_members"] if packages[member]["name"] == name]
    if not roots:
        print(f"sbom: no package {name} in this workspace", file=sys.stderr)
        return 2
    with open("Cargo.lock", "rb") as lock:
        checksums = {
            (entry["name"], entry["version"]): entry["checksum"]
            for entry in tomllib.load(lock)["package"]
            if "checksum" in entry
        }
    linked = closure(roots[0], nodes, packages)
    main_component = component(packages[roots[0]], checksums) | {"type": "application"}
    components = [component(packages[one], checksums) for one in linked if one != roots[0]]
    components.sort(key=lambda entry: entry["bom-ref"])
    bom = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": main_component},
        "components": components,
        "dependencies": sorted(
            (
                {"ref": reference(packages[one]), "dependsOn": sorted({reference(packages[need]) for need in needs})}
                for one, needs in linked.items()
            ),
            key=lambda entry: entry["ref"],
        ),
    }
    content = json.dumps(bom, sort_keys=True)
    # Named by its content: two builds of the same source have the same serial number.
    bom["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, content)}"
    json.dump(bom, sys.stdout, indent=1)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
