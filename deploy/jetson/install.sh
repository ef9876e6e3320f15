#!/usr/bin/env bash
# A Jetson Orin with JetPack 6 (Python 3.10) as a device. TensorRT is JetPack's own, so the environment sees the system's
# packages. See --help, and docs/boards/jetson-orin.md.
set -euo pipefail
# shellcheck source=deploy/install/main.sh
. "$(dirname "${BASH_SOURCE[0]}")/../install/main.sh"

board="a Jetson Orin" architectures=arm64 machines=aarch64
newer_system="flash JetPack 6, which brings 3.10"
venv_options=(--system-site-packages)
extra_groups=(video render) # the GPU's device files
as_device

check_board() {
    if ! grep -qs '^# R36' "$root/etc/nv_tegra_release"; then
        warn "no JetPack 6 (release R36) found in $root/etc/nv_tegra_release; going on"
    fi
    if [ -n "$root" ] && [ "$(id -u)" != 0 ]; then return 0; fi
    if ! in_root /usr/bin/python3 -c 'import tensorrt' 2>/dev/null; then
        warn "Python does not find TensorRT, so the CPU will infer: sudo apt install python3-libnvinfer"
    fi
}

main "$@"
