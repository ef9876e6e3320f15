#!/usr/bin/env bash
# From an empty arm64 system to an acknowledged event, on a PC: Debian for arm64 is unpacked, the device is
# installed in it by deploy/raspberry-pi/install.sh from a folder of wheels, and the real arm64 daemon, run by QEMU, reads
# a small card and sends what it saw through mosquitto to a real station on this machine.
#
#     sudo deploy/arm64/prove.sh [--board] [--wheels DIR] [--suite bookworm|trixie] [--keep]
#
# --board: QEMU is a whole board, with a kernel, systemd and udev of its own. A FAT stick is torn out of its USB port
# while it is read and put in again, an exFAT card goes into a reader.
# Exit code 0: proven; 77: this machine cannot (says why); anything else: it failed. Emulated speed and memory say nothing
# about a board.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TREE=$(cd "$HERE/../.." && pwd)
# shellcheck source=deploy/proving.sh
. "$TREE/deploy/proving.sh"
# shellcheck source=deploy/arm64/root.sh
. "$HERE/root.sh"
# shellcheck source=deploy/arm64/board.sh
. "$HERE/board.sh"
# shellcheck source=deploy/install/own_wheel.sh
. "$TREE/deploy/install/own_wheel.sh"

wheels="" suite=bookworm keep="" board=""
while [ $# -gt 0 ]; do
    case $1 in
    --wheels) wheels=$(cd "$2" && pwd) && shift ;;
    --suite) suite=$2 && shift ;;
    --keep) keep=yes ;;
    --board) board=yes ;;
    *) sed -n '2,13s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
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
    exec env PROVE_MOUNTS=own unshare --mount --propagation private "$0" --suite "$suite" \
        ${wheels:+--wheels "$wheels"} ${keep:+--keep} ${board:+--board}
fi

# The daemon alone, in the root, by QEMU's emulation of a program.
read_in_the_root() {
    local machine as_device
    cards=("$rootfs/media/edge-cards/CARD01") truths=("$work/truth.json")
    proof card "${cards[0]}" --expected "${truths[0]}"
    step "the arm64 daemon reads the card, emulated"
    as_device=(chroot --userspec=edge-runtime:edge-runtime "$rootfs" env HOME=/var/lib/edge-runtime)
    machine=$("${as_device[@]}" /opt/edge-runtime/venv/bin/python -c 'import platform; print(platform.machine())')
    [ "$machine" = aarch64 ] || fail "this is $machine"
    "${as_device[@]}" /opt/edge-runtime/venv/bin/edge-runtime run -c /etc/edge-runtime/device.yaml --until-idle \
        >"$work/device.log" 2>&1 || { tail -n 20 "$work"/*.log >&2 && fail "the daemon ended with an error"; }
    "${as_device[@]}" /opt/edge-runtime/venv/bin/edge-runtime status -c /etc/edge-runtime/device.yaml --json \
        >"$work/status.json"
}

# And a whole board, which mounts its cards itself.
read_on_a_board() {
    local camera kind
    cards=("$work/CAM01" "$work/CAM02") truths=("$work/CAM01.json" "$work/CAM02.json")
    make_first_program "$rootfs" "$work/first" && cp "$rootfs"/boot/vmlinuz-* "$work/kernel"
    unmount_root "$rootfs"
    make_board_disk "$rootfs" "$work/disk"
    for camera in CAM01:vfat CAM02:exfat; do
        kind=${camera#*:} camera=${camera%:*}
        step "a $kind card is filled, by the board's kernel"
        proof card "$work/$camera" --camera "$camera" --expected "$work/$camera.json"
        make_disk "$work/$camera" "$work/source" 64M
        make_card "$work/$camera.$kind" "$kind" "$camera"
        "$python" "$HERE/board.py" fill "$work" --source "$work/source" --type "$kind" --cards "$work/$camera.$kind" ||
            fail "see above"
    done
    step "the board starts"
    "$python" "$HERE/board.py" prove "$work" --cards "$work/CAM01.vfat" "$work/CAM02.exfat" \
        --files "$(files_on CAM01)" "$(files_on CAM02)" --station "$work/station" --status "$work/status.json" ||
        fail "see above"
}
files_on() { find "$work/$1" -type f | wc -l; }

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
    mosquitto:mosquitto ${board:+qemu-system-aarch64:qemu-system-arm cpio:cpio depmod:kmod mkfs.vfat:dosfstools \
    mkfs.exfat:exfatprogs sfdisk:fdisk}; do
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
build_root "$rootfs" "$suite" ${board:+"$BOARD_PACKAGES"} 2>"$work/root.log" || skip "no arm64 packages: $(tail -n 1 "$work/root.log")"
mount_root "$rootfs" "$HERE/cpuinfo"
# QEMU's widest processor has instructions that no Raspberry Pi has.
export QEMU_CPU=cortex-a72
chroot "$rootfs" /bin/true || fail "arm64 programs do not run in the new system"

step "installing, emulated"
# Byte code is made on a real board; emulated it takes a minute.
EDGE_NO_COMPILE=1 "$TREE/deploy/raspberry-pi/install.sh" --root "$rootfs" --wheels "$wheels"

step "cards, broker, station"
proof() { "$python" "$HERE/proof.py" "$@"; }
port=$("$python" -c 'from edge_runtime.tryout.ports import free_port; print(free_port())')
# A whole board sees this machine at the address that QEMU has for it. Its stick is out for longer than a burst lasts.
proof settings "$work" --port "$port" ${board:+--host 10.0.2.2 --gap 180}
install -m 644 "$work/device.yaml" "$rootfs/etc/edge-runtime/device.yaml"
PATH=$PATH:/usr/sbin mosquitto -c "$work/mosquitto.conf" >"$work/mosquitto.log" 2>&1 &
broker=$!
(cd "$work" && exec "$python" -m edge_runtime.station.cli serve -c station.yaml) >"$work/station.log" 2>&1 &
station=$!
if [ -n "$board" ]; then read_on_a_board; else read_in_the_root; fi
kill -0 "$station" || { cat "$work/station.log" >&2 && fail "the station ended"; }

step "what arrived"
proof check "${cards[@]}" --expected "${truths[@]}" --status "$work/status.json" --station "$work/station" ||
    { tail -n 30 "$work"/*.log >&2 && fail "see above"; }
step "proven"
