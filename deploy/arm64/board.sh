# shellcheck shell=bash
# A whole arm64 board on a PC: the system of root.sh on a disk of its own, Debian's kernel, a USB port. Sourced by
# prove.sh; board.py turns it on.

# Beside ROOT_PACKAGES: what a board has to have to start, and to mount cards.
# shellcheck disable=SC2034
readonly BOARD_PACKAGES=systemd,udev,kmod,mount,util-linux,iproute2,linux-image-arm64,busybox-static
# Where the disk, the network, the shell's line and the cards' file systems come from. Debian has them as modules.
readonly EARLY_MODULES=(virtio_pci virtio_blk virtio_net virtio_console ext4 vfat exfat nls_cp437 nls_ascii nls_utf8)

# The board's first program. It starts the disk's systemd, or, with edge.fill=TYPE, plays the camera: what lies on the
# first disk is written to the card, by the kernel that has the card's file system.
# shellcheck disable=SC2016
readonly FIRST_PROGRAM='#!/bin/busybox sh
bb=/bin/busybox
$bb mount -t devtmpfs dev /dev && $bb mount -t proc proc /proc && $bb mount -t sysfs sys /sys
while read -r module; do $bb insmod "$module"; done </modules
fill=$($bb sed -n "s/.*edge.fill=\([a-z0-9]*\).*/\1/p" /proc/cmdline)
if [ -n "$fill" ]; then
    $bb mount -t ext4 /dev/vda /disk && $bb mount -t "$fill" /dev/vdb1 /card &&
        $bb rmdir /disk/lost+found && $bb cp -r /disk/. /card && $bb umount /card && echo "edge: card is filled"
    $bb poweroff -f
fi
$bb ip link set lo up
$bb ip link set eth0 up
$bb ip address add 10.0.2.15/24 dev eth0
$bb ip route add default via 10.0.2.2
$bb mount -t ext4 /dev/vda /disk && $bb mount --move /dev /disk/dev && $bb umount /proc /sys &&
    exec $bb switch_root /disk /lib/systemd/systemd
echo "edge: the disk does not start"
$bb poweroff -f'

# A shell on the line that board.py talks on.
readonly SHELL_UNIT='[Unit]
DefaultDependencies=no
[Service]
ExecStart=/bin/bash
StandardInput=tty
TTYPath=/dev/hvc0
KillSignal=SIGHUP'

# make_first_program ROOT FILE: the initial RAM disk.
make_first_program() {
    local folder version module
    folder=$(mktemp -d)
    version=$(basename "$1"/lib/modules/*)
    depmod -b "$1" "$version"
    mkdir "$folder"/{bin,dev,proc,sys,disk,card}
    cp "$1/bin/busybox" "$folder/bin/"
    printf '%s\n' "$FIRST_PROGRAM" >"$folder/init" && chmod 755 "$folder/init"
    for module in "${EARLY_MODULES[@]}"; do
        modprobe -d "$1" -S "$version" --show-depends --ignore-install "$module" || return 1
    done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' >"$folder/paths"
    while read -r module; do cp "$module" "$folder/"; done <"$folder/paths"
    sed 's,.*/,/,' "$folder/paths" >"$folder/modules"
    (cd "$folder" && find . | cpio --quiet --create --format=newc) >"$2"
    rm -rf "$folder"
}

# make_board_disk ROOT FILE
make_board_disk() {
    printf '%s\n' "$SHELL_UNIT" >"$1/etc/systemd/system/shell.service"
    make_disk "$1" "$2" 3G
}

# make_disk FOLDER FILE SIZE: an ext4 with what is in the folder.
make_disk() { truncate -s "$3" "$2" && mke2fs -q -t ext4 -F -d "$1" "$2"; }

# make_card FILE vfat|exfat LABEL: an empty card with one partition, as cameras make them.
make_card() {
    local partition kind=7
    [ "$2" = exfat ] || kind=c
    truncate -s 96M "$1"
    echo "2048,,$kind" | sfdisk -q "$1"
    partition=$(losetup --find --show --offset $((2048 * 512)) "$1")
    case $2 in
    vfat) mkfs.vfat -n "$3" "$partition" >/dev/null ;;
    exfat) mkfs.exfat -L "$3" "$partition" >/dev/null ;;
    esac
    losetup --detach "$partition"
}
