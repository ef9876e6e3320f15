# shellcheck shell=bash
# An arm64 system on a PC: Debian's packages unpacked, run by QEMU. Sourced by prove.sh.

# What the installer and Python need, and nothing else; `extract` leaves out what packages do when they are installed,
# which under emulation takes minutes.
readonly ROOT_PACKAGES=python3,ca-certificates,libsqlite3-0,libstdc++6,coreutils,bash,dash,sed,grep,findutils,dpkg,libc-bin,passwd,login,base-passwd

# emulate_arm64: the kernel starts arm64 programs through QEMU, also inside another root. False where it cannot.
emulate_arm64() {
    local formats=/proc/sys/fs/binfmt_misc
    [ -e $formats/register ] || mount -t binfmt_misc binfmt_misc $formats || return 1
    [ -e $formats/qemu-aarch64 ] || update-binfmts --enable qemu-aarch64 || return 1
    # F: the interpreter was opened when it was registered, so it need not lie in the root.
    grep -q '^flags:.*F' $formats/qemu-aarch64
}

# build_root DIR SUITE [MORE_PACKAGES]
build_root() {
    local folder=$1 suite=$2 more=${3:-} mirror kind number
    # shellcheck disable=SC2016 # apt's own format
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Label: Debian' 2>/dev/null | head -n 1)
    mmdebstrap --quiet --mode=root --variant=extract --architectures=arm64 --include="$ROOT_PACKAGES${more:+,$more}" \
        --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr "$suite" "$folder" "${mirror:-http://deb.debian.org/debian}" ||
        return 1
    # What base-passwd does when it is installed.
    for kind in passwd group; do
        [ -s "$folder/etc/$kind" ] || cp "$folder/usr/share/base-passwd/$kind.master" "$folder/etc/$kind"
    done
    touch "$folder/etc/shadow" "$folder/etc/gshadow"
    echo 'nameserver 127.0.0.1' >"$folder/etc/resolv.conf"
    # Never the host's /dev: the root is removed at the end.
    mkdir -p "$folder/dev" "$folder/proc" "$folder/sys" "$folder/tmp" "$folder/var/tmp"
    chmod 1777 "$folder/tmp" "$folder/var/tmp"
    for kind in null:3 zero:5 full:7 random:8 urandom:9; do
        number=${kind#*:} kind=${kind%:*}
        [ -e "$folder/dev/$kind" ] || mknod -m 666 "$folder/dev/$kind" c 1 "$number"
    done
}

# mount_root DIR CPUINFO: with the host's /proc/cpuinfo, which is a PC's, onnxruntime on arm64 crashes.
mount_root() {
    mount -t proc proc "$1/proc" && mount --bind "$2" "$1/proc/cpuinfo" && mount -t sysfs -o ro sysfs "$1/sys"
}

unmount_root() {
    local place
    for place in proc/cpuinfo proc sys; do
        if mountpoint -q "$1/$place"; then umount -l "$1/$place"; fi
    done
}
