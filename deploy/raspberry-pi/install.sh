#!/usr/bin/env bash
# A Raspberry Pi 4 or 5 with the 64-bit Raspberry Pi OS (bookworm or trixie) as a device. See --help, and
# docs/boards/raspberry-pi-4.md and raspberry-pi-5.md.
set -euo pipefail
# shellcheck source=deploy/install/main.sh
. "$(dirname "${BASH_SOURCE[0]}")/../install/main.sh"

board="a Raspberry Pi" architectures=arm64 machines=aarch64
newer_system="write Raspberry Pi OS bookworm (Python 3.11) or trixie (3.13), 64-bit"
extra_groups=(video gpio) # vcgencmd, which tells of throttling, asks the firmware through /dev/vcio: group video
as_device

check_board() {
    [ -z "$root" ] || return 0
    if ! grep -qs 'Raspberry Pi' /proc/device-tree/model; then
        warn "this does not say that it is a Raspberry Pi; going on, because any 64-bit ARM Debian should do"
    fi
}

main "$@"
