#!/usr/bin/env bash
# A ranger station on a Raspberry Pi or any PC with Debian, Raspberry Pi OS or Ubuntu: the station's program, and
# mosquitto as its broker. See --help, and docs/boards/ranger-station.md.
set -euo pipefail
# shellcheck source=deploy/install/main.sh
. "$(dirname "${BASH_SOURCE[0]}")/../install/main.sh"

board="a ranger station" architectures="arm64 amd64" machines="aarch64 x86_64"
newer_system="Debian 12, Ubuntu 22.04 or Raspberry Pi OS bookworm have a newer one"
as_station

install_system_packages() {
    if [ ! -x "$root/usr/sbin/mosquitto" ]; then apt_install mosquitto mosquitto-clients; fi
    # The broker's settings are placed by `edge-station provision`, which also makes its certificates and accounts.
}

main "$@"
