#!/usr/bin/env bash
# From an empty arm64 system to an acknowledged event, on a PC: Debian for arm64 is unpacked, the device is
# installed in it by deploy/raspberry-pi/install.sh from a folder of wheels, and the real arm64 daemon, run by QEMU, reads
# a small card and sends what it saw through mosquitto to a real station on this machine.
#
#     sudo deploy/arm64/prove.sh [--wheels DIR] [--suite bookworm|trixie] [--keep]
#
# Exit code 0: proven; 77: this machine cannot (says why); anything else: it failed. Emulated speed and memory say nothing
# about a board.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TREE=$(cd "$HERE/../.." && pwd)
# shellcheck source=deploy/arm64/root.sh
. "$HERE/root.sh"
# shellcheck source=deploy/install/own_wheel.sh
. "$TREE/deploy/install/own_wheel.sh"

skip() {
    echo "prove: SKIPPED: $*" >&2
    exit 77
}
step() { printf 'prove: %4d s  %s\n' $SECONDS "$*"; }
fail() {
    echo "prove: FAILED: $*" >&2
    exit 1
}

wheels="" suite=bookworm keep=""
while [ $# -gt 0 ]; do
    case $1 in
    --wheels) wheels=$(cd "$2" && pwd) && shift ;;
    --suite) suite=$2 && shift ;;
    --keep) keep=yes ;;
    *) sed -n '2,11s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
    esac
    shift
done

case $suite in
bookworm) python_version=3.11 ;;
trixie) python_version=3.13 ;;
*) fail "--suite $suite: bookworm or trixie" ;;
esac

[ "$(id -u)" = 0 ] || skip "it needs root, for another root and its mounts"
command -v apt-get >/dev/null || skip "it needs Debian or Ubuntu, whose packages it takes"
# Mounts of its own: whatever happens to this script, none is left behind.
if [ -z "${PROVE_MOUNTS:-}" ]; then
    unshare --mount true 2>/dev/null || skip "mounts of its own are not allowed here (a container?)"
    exec env PROVE_MOUNTS=own unshare --mount --propagation private "$0" --suite "$suite" ${wheels:+--wheels "$wheels"} ${keep:+--keep}
fi

work=$(mktemp -d /var/tmp/edge-prove.XXXXXX)
rootfs=$work/root
broker="" station=""
clean_up() {
    [ -z "$station" ] || kill "$station" 2>/dev/null || true
    [ -z "$broker" ] || kill "$broker" 2>/dev/null || true
    unmount_root "$rootfs"
    if [ -n "$keep" ]; then echo "prove: kept: $work"; else rm -rf --one-file-system "$work"; fi
}
trap clean_up EXIT
# A shell that a signal ends leaves its EXIT trap out.
trap "exit 143" HUP INT TERM

step "tools"
missing=()
for pair in mount:mount mmdebstrap:mmdebstrap qemu-aarch64-static:qemu-user-static update-binfmts:binfmt-support \
    mosquitto:mosquitto; do
    PATH=$PATH:/usr/sbin command -v "${pair%:*}" >/dev/null || missing+=("${pair#*:}")
done
[ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || missing+=(debian-archive-keyring)
if [ ${#missing[@]} -gt 0 ]; then
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        "${missing[@]}" >/dev/null; } || skip "apt cannot install ${missing[*]}"
fi
emulate_arm64 || skip "the kernel cannot be told to run arm64 programs (binfmt_misc)"

step "the station's program on this machine"
python=${PROVE_PYTHON:-$TREE/.venv/bin/python}
if ! "$python" -c 'import edge_runtime.station.web, skimage' 2>/dev/null; then
    python3 -c 'import ensurepip' 2>/dev/null ||
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null || skip "no python3-venv"
    python3 -m venv "$work/host"
    python=$work/host/bin/python
    own_wheel "$python" "$TREE" "$work" || skip "no network for Python packages"
    "$python" -m pip install -q --disable-pip-version-check "$(echo "$work"/camtrap_edge-*.whl)[tryout]" ||
        skip "no network for Python packages"
fi

if [ -z "$wheels" ]; then
    step "wheels for arm64"
    wheels=$work/wheels
    made=0
    PIP_PYTHON=$python "$TREE/deploy/install/wheelhouse.sh" aarch64 "$python_version" "$wheels" 2>"$work/wheelhouse.log" || made=$?
    case $made in
    0) ;;
    15) skip "$(tail -n 1 "$work/wheelhouse.log")" ;;
    *) cat "$work/wheelhouse.log" >&2 && fail "no wheels" ;;
    esac
fi

step "an empty arm64 system: $suite"
build_root "$rootfs" "$suite" 2>"$work/root.log" || skip "no arm64 packages: $(tail -n 1 "$work/root.log")"
mount_root "$rootfs" "$HERE/cpuinfo"
# QEMU's widest processor has instructions that no Raspberry Pi has.
export QEMU_CPU=cortex-a72
chroot "$rootfs" /bin/true || fail "arm64 programs do not run in the new system"

step "installing, emulated"
# Byte code is made on a real board; emulated it takes a minute.
EDGE_NO_COMPILE=1 "$TREE/deploy/raspberry-pi/install.sh" --root "$rootfs" --wheels "$wheels"

step "card, broker, station"
port=$("$python" -c 'from edge_runtime.tryout.ports import free_port; print(free_port())')
"$python" "$HERE/proof.py" card "$rootfs/media/edge-cards/CARD01" --expected "$work/expected.json"
"$python" "$HERE/proof.py" settings "$work" --port "$port"
install -m 644 "$work/device.yaml" "$rootfs/etc/edge-runtime/device.yaml"
PATH=$PATH:/usr/sbin mosquitto -c "$work/mosquitto.conf" >"$work/mosquitto.log" 2>&1 &
broker=$!
(cd "$work" && exec "$python" -m edge_runtime.station.cli serve -c station.yaml) >"$work/station.log" 2>&1 &
station=$!

step "the arm64 daemon reads the card, emulated"
as_device=(chroot --userspec=edge-runtime:edge-runtime "$rootfs" env HOME=/var/lib/edge-runtime)
machine=$("${as_device[@]}" /opt/edge-runtime/venv/bin/python -c 'import platform; print(platform.machine())')
[ "$machine" = aarch64 ] || fail "this is $machine"
"${as_device[@]}" /opt/edge-runtime/venv/bin/edge-runtime run -c /etc/edge-runtime/device.yaml --until-idle \
    >"$work/device.log" 2>&1 || { tail -n 20 "$work"/*.log >&2 && fail "the daemon ended with an error"; }
"${as_device[@]}" /opt/edge-runtime/venv/bin/edge-runtime status -c /etc/edge-runtime/device.yaml --json \
    >"$work/status.json"
kill -0 "$station" || { cat "$work/station.log" >&2 && fail "the station ended"; }

step "what arrived"
"$python" "$HERE/proof.py" check "$rootfs/media/edge-cards/CARD01" --expected "$work/expected.json" \
    --status "$work/status.json" --station "$work/station" || { tail -n 30 "$work"/*.log >&2 && fail "see above"; }
step "proven"
