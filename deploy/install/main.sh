# shellcheck shell=bash
# The way of an installation, in order. A board's install.sh sets what differs and calls `main "$@"`.
# shellcheck disable=SC2034 # much of this is for the files that are sourced here

INSTALL=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
checkout=$(cd "$INSTALL/../.." && pwd)
# shellcheck source=deploy/install/common.sh
. "$INSTALL/common.sh"
# shellcheck source=deploy/install/checks.sh
. "$INSTALL/checks.sh"
# shellcheck source=deploy/install/own_wheel.sh
. "$INSTALL/own_wheel.sh"
# shellcheck source=deploy/install/program.sh
. "$INSTALL/program.sh"
# shellcheck source=deploy/install/settings.sh
. "$INSTALL/settings.sh"
# shellcheck source=deploy/install/units.sh
. "$INSTALL/units.sh"

wheels="" uninstall="" purge="" reinstall="" extras=""
venv_options=() extra_groups=() other_folders=()
check_board() { :; }
install_system_packages() { :; }

# What a device has, whichever board it is.
as_device() {
    role=device account=edge-runtime settings_file=device.yaml main_unit=edge-runtime.service
    other_folders=(/media/edge-cards)
    system_files=("$checkout"/deploy/systemd/edge-{runtime,card}*.{service,timer} "$checkout"/deploy/udev/*edge*.rules
        "$checkout"/deploy/systemd/{50-edge-runtime.preset,journald-edge.conf})
}

as_station() {
    role=station account=edge-station settings_file=station.yaml main_unit=edge-station.service extras=station
    system_files=("$checkout"/deploy/systemd/edge-station*.{service,timer} "$checkout"/deploy/systemd/journald-edge.conf)
}

usage() {
    cat <<TEXT
Installs camtrap-edge on $board. As root, from a checkout or an unpacked release:

  sudo $0                        over the network
  sudo $0 --wheels FOLDER        from a folder made by deploy/install/wheelhouse.sh; no network
  $0 --dry-run                   show every command, change nothing
  sudo $0 --uninstall            data and settings stay; with --purge they go too

  --root DIR     into the system below DIR (an image, a test), with --wheels; nothing is started
  --reinstall    even where the same program is there already

Run again with a newer checkout it upgrades: data and settings stay, and where the new program does not run the old
one goes on. Exit codes: 0 done; 2 wrong option; 10 not root; 11 wrong architecture; 12 a 32-bit system; 13 Python;
14 disk full; 15 no network; 16 the folder of wheels; 17 the new program does not run; 18 not a Debian.
TEXT
}

parse_options() {
    while [ $# -gt 0 ]; do
        case $1 in
        --dry-run) dry_run=yes ;;
        --wheels | --root)
            [ $# -ge 2 ] || die "$E_USAGE" "$1 needs a folder"
            [ -d "$2" ] || die "$E_USAGE" "$1 $2: no such folder"
            if [ "$1" = --wheels ]; then wheels=$(cd "$2" && pwd); else root=$(cd "$2" && pwd); fi
            shift
            ;;
        --uninstall) uninstall=yes ;;
        --purge) purge=yes ;;
        --reinstall) reinstall=yes ;;
        -h | --help)
            usage
            exit 0
            ;;
        *) die "$E_USAGE" "unknown option '$1'; see --help" ;;
        esac
        shift
    done
    [ "$root" != / ] || root=""
    [ -z "$root" ] || [ -n "$wheels$uninstall" ] || die "$E_USAGE" "--root goes together with --wheels"
    [ -z "$purge" ] || [ -n "$uninstall" ] || die "$E_USAGE" "--purge goes together with --uninstall"
}

main() {
    parse_options "$@"
    home=/opt/$account venv=/opt/$account/venv releases=/opt/$account/releases
    etc=/etc/$account data=/var/lib/$account cache=/var/cache/$account
    was_active=()
    check_root_user
    if [ -n "$uninstall" ]; then
        uninstall
        return
    fi
    check_architecture
    check_board
    check_python
    check_wheels
    check_disk
    trap clean_up EXIT
    # A shell that a signal ends leaves its EXIT trap out.
    trap "exit 143" HUP INT TERM
    install_program
}

install_program() {
    local old
    old=$(current_release)
    if is_installed; then
        say "this program is installed already ($old); its surroundings are brought up to date"
    else
        check_network
    fi
    install_system_packages
    make_account
    make_folders
    place_settings
    if is_installed; then
        bring_units "$old"
        place_units "$old"
    else
        make_release
        check_release
        change_over "$old"
    fi
    say_what_next
}

# From the old program to the new one, and back where the new one does not stay up.
change_over() {
    local old=$1 kept=$data/before-upgrade.sqlite
    stop_units "$old"
    # A journal that the new program has brought up to date is refused by the old one.
    if [ -n "$old" ] && is_configured; then
        run_as_service "$new_release/bin/python" "$new_release/keep_journal.py" keep "$role" \
            "$etc/$settings_file" "$kept" || {
            start_units || true
            die "$E_DOES_NOT_START" "the data could not be copied, see above; nothing was switched, the old program goes on"
        }
    fi
    switch_to "$new_release"
    place_units "$new_release"
    if ! start_units; then
        [ -n "$old" ] || die "$E_DOES_NOT_START" "the program does not stay up: journalctl -u $main_unit"
        go_back "$old" "$kept"
    fi
    remove_old_releases "$old"
}

go_back() {
    local old=$1 kept=$2 unit
    warn "the new program does not stay up; back to $old"
    for unit in "${was_active[@]}"; do run systemctl stop "$unit" || true; done
    if is_configured; then
        run_as_service "$new_release/bin/python" "$new_release/keep_journal.py" put-back "$role" \
            "$etc/$settings_file" "$kept" ||
            die "$E_DOES_NOT_START" "the data has gone on with the new program and stays with it: journalctl -u $main_unit"
    fi
    switch_to "$old"
    place_units "$old"
    unfinished=$new_release
    start_units || die "$E_DOES_NOT_START" "the old program does not stay up either: journalctl -u $main_unit"
    die "$E_DOES_NOT_START" "the new program did not stay up, see journalctl -u $main_unit; the old one runs again"
}

uninstall() {
    [ -z "$root" ] || [ -n "$wheels$uninstall" ] || die "$E_USAGE" "--root goes together with --wheels"
    [ -z "$purge" ] || say_what_waits
    remove_units "$(current_release)"
    run rm -rf "$root$home"
    if [ -n "$purge" ]; then
        purge
    else
        say "$etc and $data stay; --uninstall --purge removes them too"
    fi
}

say_what_next() {
    local version=""
    [ -n "$dry_run" ] || version=$(in_root "$venv/bin/$account" --version)
    say "done${version:+: $version} in $root$venv"
    if ! is_configured; then
        say "next: edit $etc/$settings_file, then systemctl start $main_unit"
    elif has_systemd && [ ${#was_active[@]} = 0 ]; then
        say "next: systemctl start $main_unit"
    fi
}
