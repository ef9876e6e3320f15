#!/usr/bin/env bash
# A folder from which a board without internet is installed: every wheel that it needs, and a list of their hashes.
#
#     deploy/install/wheelhouse.sh ARCH PYTHON DIR [EXTRA ...]
#
# for example `wheelhouse.sh aarch64 3.11 wheelhouse`. Wheels of the other architecture are downloaded, never built, so
# this runs on any PC. PIP_PYTHON names a Python with pip. Exit codes: 0 done; 2 wrong arguments; 15 no network; 16 a wheel is missing.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TREE=$(cd "$HERE/../.." && pwd)
# shellcheck source=deploy/install/own_wheel.sh
. "$HERE/own_wheel.sh"

usage() {
    echo "usage: $0 ARCH PYTHON DIR [EXTRA ...]      ARCH: aarch64, x86_64; PYTHON: 3.10, 3.11, 3.12, 3.13" >&2
    exit 2
}

[ $# -ge 3 ] || usage
arch=$1 python=$2 folder=$3
shift 3
case $arch in aarch64 | x86_64) ;; *) usage ;; esac
# A wheel says for which glibc it was built; a board takes those up to its own. The glibc of the system that brings
# each Python: JetPack 6, Raspberry Pi OS bookworm, Ubuntu 24.04, Raspberry Pi OS trixie.
case $python in 3.10) glibc=35 ;; 3.11) glibc=36 ;; 3.12) glibc=39 ;; 3.13) glibc=41 ;; *) usage ;; esac

host_python=${PIP_PYTHON:-}
if [ -z "$host_python" ]; then
    host_python=python3
    if "$TREE/.venv/bin/python" -m pip --version >/dev/null 2>&1; then host_python=$TREE/.venv/bin/python; fi
fi
"$host_python" -m pip --version >/dev/null 2>&1 || {
    echo "wheelhouse: $host_python has no pip: sudo apt install python3-pip, or set PIP_PYTHON" >&2
    exit 1
}

# give_up MESSAGE: and tell a package that is not to be had from a network that is not there.
give_up() {
    if "$host_python" -c 'import sys, urllib.request as r; r.urlopen(sys.argv[1] + "/pip/", timeout=20)' \
        "${PIP_INDEX_URL:-https://pypi.org/simple}" 2>/dev/null; then
        echo "wheelhouse: $1" >&2
        exit 16
    fi
    echo "wheelhouse: ${PIP_INDEX_URL:-https://pypi.org/simple} cannot be reached" >&2
    exit 15
}

mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
if [ -n "$(ls -A "$folder")" ] && [ ! -f "$folder/SHA256SUMS" ]; then
    echo "wheelhouse: $folder holds something else: name a new folder" >&2
    exit 2
fi
# What is there already is taken, so that a second call is quick; what is no longer wanted goes at the end.
rm -f "$folder/SHA256SUMS" "$folder"/camtrap_edge-*.whl
touch "$folder/SHA256SUMS"

own_wheel "$host_python" "$TREE" "$folder" || give_up "this project's own wheel could not be built, see above"
own=$(cd "$folder" && ls camtrap_edge-*.whl)

tags=(--platform manylinux2014_"$arch")
for minor in $(seq "$glibc" -1 17); do tags+=(--platform "manylinux_2_${minor}_$arch"); done
# One folder serves both ends.
wanted=(station "$@")
extras=$(IFS=,; echo "${wanted[*]}")
fresh=$(mktemp -d "$folder/.fresh.XXXXXX")
trap 'rm -rf "$fresh"' EXIT

# `--abi` three times, because what is written in C for one Python, for any Python 3 and in Python alone come together.
download() {
    "$host_python" -m pip download --quiet --disable-pip-version-check --dest "$fresh" --find-links "$folder" \
        --find-links "$fresh" --only-binary=:all: --implementation cp --python-version "$python" \
        --abi "cp${python/./}" --abi abi3 --abi none "${tags[@]}" "$@" ||
        give_up "not every package has a wheel for $arch and Python $python, see above"
}

# pip comes along: then a board needs neither apt nor its own pip.
download "camtrap-edge[$extras] @ file://$folder/$own" pip
# What pip on this machine did not see that the board needs, and what that needs in turn.
for _ in 1 2 3 4 5; do
    lacking=()
    while read -r requirement; do lacking+=("$requirement"); done < <(
        "$host_python" "$HERE/complete.py" --list "$fresh" "$arch" "$python" "${wanted[@]}"
    )
    [ ${#lacking[@]} -gt 0 ] || break
    download "${lacking[@]}"
done
"$host_python" "$HERE/complete.py" "$fresh" "$arch" "$python" "${wanted[@]}" || {
    echo "wheelhouse: the wheels for $arch and Python $python are not complete: make it with Python $python" >&2
    exit 16
}
rm -f "$folder"/*.whl
mv "$fresh"/*.whl "$folder"/
rm -rf "$fresh"
printf 'arch=%s\npython=%s\n' "$arch" "$python" >"$folder/TARGET"
(cd "$folder" && LC_ALL=C sha256sum -- TARGET *.whl >SHA256SUMS)
echo "$folder: $(find "$folder" -name '*.whl' | wc -l) wheels, $(du -sm "$folder" | cut -f1) MB, for $arch and Python $python"
