# shellcheck shell=bash
# shellcheck disable=SC2154 # what is not set here, main.sh or a board's install.sh sets
# What every installer shares: messages, exit codes, and running a command in the right root, or only showing it.

# Exit codes, so that a script that installs many boards can tell why one failed. docs/troubleshooting.md lists them.
# shellcheck disable=SC2034 # used by the files that source this one
readonly E_USAGE=2 E_NOT_ROOT=10 E_ARCHITECTURE=11 E_32_BIT=12 E_PYTHON=13 E_DISK=14 E_NETWORK=15 E_WHEELS=16 \
    E_DOES_NOT_START=17 E_SYSTEM=18

dry_run=""
root=""

say() { printf 'edge-install: %s\n' "$*"; }
warn() { printf 'edge-install: warning: %s\n' "$*" >&2; }

# die CODE MESSAGE
die() {
    local code=$1
    shift
    printf 'edge-install: %s\n' "$*" >&2
    exit "$code"
}

# Everything that changes anything goes through here: a dry run shows it and does nothing.
run() {
    if [ -n "$dry_run" ]; then
        printf '+'
        printf ' %q' "$@"
        printf '\n'
    else
        "$@"
    fi
}

# in_root COMMAND...: in the system that is installed into, which is this one unless --root names another.
in_root() {
    if [ -n "$root" ]; then chroot "$root" "$@"; else "$@"; fi
}

run_in_root() {
    if [ -n "$root" ]; then run chroot "$root" "$@"; else run "$@"; fi
}

# As the service's own account: what it may not read shows here and not in the field. `chroot --userspec` because it is
# in coreutils and needs no PAM, so it also works in an image that never booted.
run_as_service() {
    run chroot --userspec="$account:$account" "${root:-/}" "$@"
}
