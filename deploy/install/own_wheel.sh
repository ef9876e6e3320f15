# shellcheck shell=bash
# Making this project's own wheel. Sourced by wheelhouse.sh and, for installing over the network, by program.sh.

# own_wheel PYTHON SOURCE DIR: build in a clean copy, because a tree that was built in before would put old files in.
own_wheel() {
    local python=$1 from=$2 target=$3 copy part
    copy=$(mktemp -d)
    for part in setup.cfg pyproject.toml README.md LICENSE edge_runtime export_tools benchmarks; do
        cp -a "$from/$part" "$copy/"
    done
    find "$copy" -name __pycache__ -prune -exec rm -rf {} +
    if ! "$python" -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir "$target" "$copy"; then
        rm -rf "$copy"
        echo "own_wheel: the wheel of $from could not be built (it needs the network for setuptools)" >&2
        return 1
    fi
    rm -rf "$copy"
}
