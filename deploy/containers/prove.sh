#!/usr/bin/env bash
# From the Containerfiles to an acknowledged event without a registry: Debian's packages become the base image, podman
# builds device and station from it and runs both, each as its own user and with the settings of compose.yaml, beside a
# real mosquitto; a small card is put in while the device waits, and what it showed has to arrive.
#
#     sudo deploy/containers/prove.sh
#
# Exit code 0: proven; 77: this machine cannot (says why); anything else: it failed. While it runs it takes 4 GB of memory,
# or of /var/tmp on a machine with less than 8 GB free.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TREE=$(cd "$HERE/../.." && pwd)
BASE=docker.io/library/debian:bookworm-slim
# Beyond the base image; 350 MB of it for the installation itself (tests/deploy), the rest for Python.
MAX_MB=450

# shellcheck source=deploy/proving.sh
. "$TREE/deploy/proving.sh"

[ $# = 0 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2 && exit 2; }
[ "$(id -u)" = 0 ] || skip "it needs root, for the base image and its containers"
command -v apt-get >/dev/null || skip "it needs Debian or Ubuntu, whose packages it takes"
python=${PROVE_PYTHON:-$TREE/.venv/bin/python}
"$python" -c 'import edge_runtime.station.store, skimage' 2>/dev/null || skip "it needs this project's environment: make setup"
# Mounts of its own: whatever happens to this script, none is left behind.
if [ -z "${PROVE_MOUNTS:-}" ]; then
    unshare --mount true 2>/dev/null || skip "mounts of its own are not allowed here (a container?)"
    exec env PROVE_MOUNTS=own unshare --mount --propagation private "$0"
fi

work=$(mktemp -d /var/tmp/edge-containers.XXXXXX)
images=$work/images
mkdir "$images"
# Debian's packages wait for the disk at every file.
if [ "$(awk '/^MemAvailable:/ { print int($2 / 1e6) }' /proc/meminfo)" -ge 8 ]; then
    mount -t tmpfs -o size=6G tmpfs "$images"
fi
# Images, containers and locks of its own, apart from whatever podman keeps on this machine. Without cgroups and with low
# limits, so that it runs inside another container or a small virtual machine too.
export CONTAINERS_STORAGE_CONF=$work/storage.conf CONTAINERS_CONF=$work/containers.conf
printf '[storage]\ndriver = "overlay"\ngraphroot = "%s"\nrunroot = "%s"\n' "$images/all" "$images/run" \
    >"$CONTAINERS_STORAGE_CONF"
cat >"$CONTAINERS_CONF" <<CONF
[containers]
cgroups = "disabled"
netns = "host"
default_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
runtime = "crun"
tmp_dir = "$work/tmp"
# On the disk: a journal in memory is none.
volume_path = "$work/volumes"
CONF

network="" broker=""
clean_up() {
    local process
    podman rm --all --force --time 1 >/dev/null 2>&1 || true
    for process in $broker $network; do kill "$process" 2>/dev/null || true; done
    # Mounts end with this script.
    umount -l "$work/cards/CARD01" "$work/cards" "$images" 2>/dev/null || true
    rm -rf --one-file-system "$work"
}
trap clean_up EXIT
# A shell that a signal ends leaves its EXIT trap out.
trap "exit 143" HUP INT TERM

step "tools"
missing=()
for pair in podman:podman crun:crun mmdebstrap:mmdebstrap mosquitto:mosquitto ip:iproute2; do
    PATH=$PATH:/usr/sbin command -v "${pair%:*}" >/dev/null || missing+=("${pair#*:}")
done
[ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || missing+=(debian-archive-keyring)
if [ ${#missing[@]} -gt 0 ]; then
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        "${missing[@]}" >/dev/null; } || skip "apt cannot install ${missing[*]}"
fi
# crun refuses cgroups of both kinds at once.
! { mountpoint -q /sys/fs/cgroup/memory && mountpoint -q /sys/fs/cgroup/unified; } || umount -l /sys/fs/cgroup/unified
podman info >/dev/null 2>"$work/podman.log" || skip "podman does not start: $(tail -n 1 "$work/podman.log")"

step "base image: bookworm"
# shellcheck disable=SC2016 # apt's own format
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Label: Debian' 2>/dev/null | head -n 1)
# As the published image: no manuals, no translations, no archives of packages.
TMPDIR=$images mmdebstrap --quiet --mode=root --variant=minbase --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --aptopt='Dir::Cache::pkgcache ""' --aptopt='Dir::Cache::srcpkgcache ""' \
    --aptopt='DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb"; }' \
    bookworm "$images/base.tar" "${mirror:-http://deb.debian.org/debian}" 2>"$work/base.log" ||
    skip "no Debian packages: $(tail -n 1 "$work/base.log")"
podman import --quiet "$images/base.tar" "$BASE" >/dev/null 2>&1
rm "$images/base.tar"
podman run --rm "$BASE" true 2>"$work/podman.log" || skip "no container starts: $(tail -n 1 "$work/podman.log")"

# How this machine's pip gets its packages, for the pip inside: in root's home, which is there anyway and keeps nothing.
mkdir -p "$work/home/.config/pip"
echo "[global]" >"$work/home/.config/pip/pip.conf"
for key in index-url proxy trusted-host cert; do
    value=$("$python" -m pip config list | sed -n "s/^[a-z:]*\.$key='\(.*\)'$/\1/p" | tail -n 1)
    if [ $key = cert ] && [ -n "$value" ]; then cp "$value" "$work/home/ca.crt" && value=/root/ca.crt; fi
    [ -z "$value" ] || echo "$key = $value" >>"$work/home/.config/pip/pip.conf"
done

size() { podman image inspect --format '{{.Size}}' "$1"; }
for pair in device:raspberry-pi station:station; do
    name=${pair%:*} file=$HERE/Containerfile.${pair#*:}
    step "podman build: $name"
    podman build --isolation chroot --pull-never --volume "$work/home:/root:ro" -f "$file" -t "camtrap-edge:$name" "$TREE" >"$work/build.log" 2>&1 || {
        tail -n 30 "$work/build.log" >&2
        ! grep -qE 'Temporary failure resolving|NewConnectionError|No matching distribution found for setuptools' "$work/build.log" ||
            skip "no network inside the build"
        fail "$file cannot be built"
    }
    mb=$((($(size "camtrap-edge:$name") - $(size "$BASE")) / 1000000))
    step "  $name: $mb MB beyond the base image"
    [ $mb -le $MAX_MB ] || fail "the image of the $name is larger than $MAX_MB MB"
    found=$(podman run --rm --entrypoint python "camtrap-edge:$name" -c 'if True:
        from importlib.util import find_spec
        print(*filter(find_spec, ("pip", "setuptools", "torch", "edge_runtime")))')
    [ "$found" = edge_runtime ] || fail "the image of the $name holds $found"
    code=0
    podman run --rm "camtrap-edge:$name" >"$work/refused.log" 2>&1 || code=$?
    if [ $code != 2 ] || ! grep -q "/$name.yaml: No such file or directory" "$work/refused.log"; then
        fail "without settings the $name says, with exit code $code: $(cat "$work/refused.log")"
    fi
done

step "card, broker, station"
# A network of its own: no port of this machine is taken, and nothing leaves it.
unshare --net sleep infinity &
network=$!
inside=(nsenter "--net=/proc/$network/ns/net")
until [ "$(readlink "/proc/$network/ns/net")" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.1; done
"${inside[@]}" ip link set lo up
printf 'listener 1883 127.0.0.1\nallow_anonymous true\n' >"$work/mosquitto.conf"
PATH=$PATH:/usr/sbin "${inside[@]}" mosquitto -c "$work/mosquitto.conf" >"$work/mosquitto.log" 2>&1 &
broker=$!
for name in device station; do
    "$python" -c 'import sys, yaml; print(yaml.safe_load(open(sys.argv[1]))["configs"][sys.argv[2]]["content"])' \
        "$HERE/compose.yaml" $name >"$work/$name.yaml"
done
"$python" "$TREE/deploy/arm64/proof.py" card "$work/card" --expected "$work/expected.json"
mkdir "$work/cards"
mount --bind "$work/cards" "$work/cards"
mount --make-shared "$work/cards"

# podman hides /sys/dev/block, by which the device notices that a card was pulled out.
confined=(--security-opt unmask=/sys/dev/block --read-only --cap-drop all --security-opt no-new-privileges --add-host broker:127.0.0.1)
"${inside[@]}" podman run --detach --name station "${confined[@]}" --volume station:/var/lib/edge-station \
    --volume "$work/station.yaml:/etc/edge-station/station.yaml:ro" camtrap-edge:station >/dev/null
device=("${confined[@]}" --volume device:/var/lib/edge-runtime --volume "$work/cards:/media/edge-cards:ro,rslave"
    --volume "$work/device.yaml:/etc/edge-runtime/device.yaml:ro" camtrap-edge:device)
"${inside[@]}" podman run --detach --name device "${device[@]}" >/dev/null
for pair in device:990 station:991; do
    who=$(podman exec "${pair%:*}" id -u)
    [ "$who" = "${pair#*:}" ] || fail "the ${pair%:*} runs as $who"
done

says() { podman logs "$1" 2>&1 | grep -qE "$2"; }
# wait_for NAME PATTERN SECONDS
wait_for() {
    local end=$((SECONDS + $3))
    until says "$1" "$2"; do
        [ $SECONDS -lt $end ] || { podman logs "$1" >&2 && fail "the $1 does not say '$2' within $3 s"; }
        sleep 0.5
    done
}
wait_for station "connected to broker" 30
wait_for device "connected to broker" 30
step "a card is put in while the device runs"
mkdir "$work/cards/CARD01"
mount -o bind,ro,nosuid,nodev,noexec "$work/card" "$work/cards/CARD01"
wait_for device "no JPEG" 90
wait_for station "Domestic cat" 30
podman stop device >/dev/null
code=$(podman inspect --format '{{.State.ExitCode}}' device)
[ "$code" = 0 ] || fail "the stopped device ended with $code"
podman rm device >/dev/null

step "the same data in a new container, to the end"
device() { "${inside[@]}" podman run --rm "${device[@]}" "$1" -c /etc/edge-runtime/device.yaml "${@:2}"; }
device run --until-idle >"$work/device.log" 2>&1 || { cat "$work/device.log" >&2 && fail "the device ended with an error"; }
device doctor >"$work/doctor.log" 2>&1 || { cat "$work/doctor.log" >&2 && fail "doctor finds fault with the container"; }
device status --json >"$work/status.json"
"${inside[@]}" "$python" -c 'import sys, urllib.request as r; sys.exit(b"omestic cat" not in r.urlopen("http://127.0.0.1:8080/").read())' ||
    fail "the station's page does not show the cat"
podman stop station >/dev/null

step "what arrived"
"$python" "$TREE/deploy/arm64/proof.py" check "$work/card" --expected "$work/expected.json" --status "$work/status.json" \
    --station "$(podman volume inspect --format '{{.Mountpoint}}' station)" ||
    { tail -n 30 "$work"/*.log >&2 && fail "see above"; }
step "proven"
