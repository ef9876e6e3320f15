# shellcheck shell=bash
# shellcheck disable=SC2154 # what is not set here, main.sh or a board's install.sh sets
# The program on the disk: each version is a whole environment under releases/, and `venv` is a link to one of them.
# The link is switched by one rename, so there is always a whole program behind it, power cut or not.

# A new release that is not in use yet, and wheels that were copied into another root: gone where anything fails.
unfinished=""
brought=""

clean_up() {
    # The release that the link points to is never unfinished.
    if [ -n "$unfinished" ]; then run rm -rf "$root$unfinished"; fi
    if [ -n "$brought" ]; then run rm -rf "$root$brought"; fi
    unfinished="" brought=""
}

# The release in use, as a path inside the root; nothing where there is none.
current_release() { readlink "$root$venv" 2>/dev/null || true; }

# One word for what would be installed: the same word as last time means that nothing has to be done.
fingerprint() {
    {
        echo "$python_version $extras ${venv_options[*]}"
        if [ -n "$wheels" ]; then
            cat "$wheels/SHA256SUMS"
        else
            (cd "$checkout" && find edge_runtime export_tools benchmarks setup.cfg -type f -not -name '*.pyc' -print0 |
                LC_ALL=C sort -z | xargs -0 sha256sum)
        fi
    } | sha256sum | cut -c 1-16
}

is_installed() {
    local release
    release=$(current_release)
    [ -n "$release" ] && [ -z "$reinstall" ] &&
        [ "$(cat "$root$release/fingerprint" 2>/dev/null)" = "$(fingerprint)" ]
}

# Sets new_release: an environment with the program in it, checked to run, that nobody uses yet.
make_release() {
    local number=1
    while [ -e "$root$releases/$number" ]; do number=$((number + 1)); done
    new_release=$releases/$number
    say "installing into $root$new_release"
    run mkdir -p "$root$releases"
    unfinished=$new_release
    if [ -n "$wheels" ]; then
        # Neither apt nor ensurepip: pip runs out of its own wheel.
        run_in_root /usr/bin/python3 -m venv --without-pip "${venv_options[@]}" "$new_release"
        bring_wheels
        # Nothing but this folder: neither pip's configuration nor its environment may name another source.
        # --ignore-installed: with the system's packages in sight (Jetson), ours are still the ones that were tested.
        pip_or_die env PIP_CONFIG_FILE=/dev/null PYTHONPATH="$wheels_inside/$(cd "$wheels" && echo pip-*.whl)" \
            "$new_release/bin/python" -m pip --isolated install --quiet --disable-pip-version-check --no-cache-dir \
            ${EDGE_NO_COMPILE:+--no-compile} --ignore-installed --no-index --find-links "$wheels_inside" \
            "camtrap-edge${extras:+[$extras]}"
    else
        if ! in_root /usr/bin/python3 -c 'import ensurepip' 2>/dev/null; then
            apt_install python3-venv
        fi
        run_in_root /usr/bin/python3 -m venv "${venv_options[@]}" "$new_release"
        run mkdir -p "$new_release/own"
        run own_wheel "$new_release/bin/python" "$checkout" "$new_release/own"
        pip_or_die "$new_release/bin/python" -m pip install --quiet --disable-pip-version-check --no-cache-dir \
            --ignore-installed "camtrap-edge${extras:+[$extras]} @ file://$new_release/own/$(own_wheel_name)"
    fi
    bring_units "$new_release"
    run install -m 644 "$INSTALL/check_program.py" "$INSTALL/keep_journal.py" "$root$new_release/"
    run sh -c 'printf "%s\n" "$1" >"$2"' sh "$(fingerprint)" "$root$new_release/fingerprint"
}

own_wheel_name() {
    local found=("$new_release"/own/*.whl)
    if [ -n "$dry_run" ]; then echo camtrap_edge-VERSION.whl; else basename "${found[0]}"; fi
}

# Sets wheels_inside: where the root sees the folder of wheels.
bring_wheels() {
    wheels_inside=$wheels
    [ -n "$root" ] || return 0
    brought=/var/tmp/edge-wheels.$$
    wheels_inside=$brought
    run mkdir -p "$root$brought"
    run cp "$wheels"/*.whl "$root$brought/"
}

pip_or_die() {
    run_in_root "$@" || {
        if [ -n "$wheels" ]; then
            die "$E_WHEELS" "the wheels in $wheels could not be installed, see above"
        fi
        die "$E_NETWORK" "packages could not be installed over the network, see above; --wheels FOLDER needs none"
    }
}

# The new program runs on this board: its parts load, its models infer, and it can bring a copy of the journal up to date.
check_release() {
    local settings=()
    if is_configured; then settings=(--settings "$etc/$settings_file"); fi
    run_as_service env HOME="$data" CACHE_DIRECTORY="$cache" "$new_release/bin/python" \
        "$new_release/check_program.py" "$role" "${settings[@]}" ||
        die "$E_DOES_NOT_START" "the new program does not run here, see above;" \
            "nothing was switched$([ -z "$(current_release)" ] || echo ', the old one goes on')"
}

# switch_to RELEASE: in one rename.
switch_to() {
    # After a power cut the link must not lead to files that were never written.
    run sync -f "$root$home"
    run ln -sfn "$1" "$root$home/venv.new"
    run mv -T "$root$home/venv.new" "$root$venv"
    if [ "$1" = "${new_release:-}" ]; then unfinished=""; fi
}

# All but the one in use and the one before.
remove_old_releases() {
    local old=$1 release
    for release in "$root$releases"/*; do
        [ -d "$release" ] || continue
        case ${release#"$root"} in "$(current_release)" | "$old") ;; *) run rm -rf "$release" ;; esac
    done
}

apt_install() {
    say "from the distribution: $*"
    run_in_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" ||
        { run_in_root apt-get update -q && run_in_root env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -q --no-install-recommends "$@"; } ||
        die "$E_NETWORK" "apt cannot install $*: without a network, fetch them on a board that has one" \
            "(apt-get download) and install them with dpkg -i"
}
