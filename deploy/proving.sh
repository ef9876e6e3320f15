# shellcheck shell=bash
# How the proofs (arm64/prove.sh, containers/prove.sh) say how far they are and how they end. Sourced by them.

# This machine cannot do it: exit code 77, as test programs say it.
skip() {
    echo "prove: SKIPPED: $*" >&2
    exit 77
}
step() { printf 'prove: %4d s  %s\n' $SECONDS "$*"; }
fail() {
    echo "prove: FAILED: $*" >&2
    exit 1
}
