# shellcheck shell=bash
# shellcheck disable=SC2154 # what is not set here, main.sh or a board's install.sh sets
# systemd: units, what starts them when a card comes in, and starting the new program or going back to the old one.

readonly UNITS=/etc/systemd/system PRESETS=/etc/systemd/system-preset
readonly UDEV=/etc/udev/rules.d JOURNALD=/etc/systemd/journald.conf.d
readonly STARTED_SECONDS=5

# Without a running systemd (an image, a container) units are put there and enabled, and nothing is started.
has_systemd() { [ -z "$root" ] && [ -d /run/systemd/system ]; }

# The files of the checkout that belong to systemd and udev, below the release that they come with: whoever goes back to
# an old program gets its units back as well.
bring_units() {
    local file
    run mkdir -p "$root$1/units"
    for file in "${system_files[@]}"; do
        # A pattern that matches nothing stays a pattern.
        if [ -f "$file" ]; then run install -m 644 "$file" "$root$1/units/"; fi
    done
}

# our_files RELEASE: "from to" of each, `to` inside the root.
our_files() {
    local file files=("$root$1"/units/*)
    # A dry run brought nothing there.
    if [ -n "$dry_run" ] && [ ! -d "$root$1/units" ]; then files=("${system_files[@]}"); fi
    for file in "${files[@]}"; do
        [ -f "$file" ] || continue
        case $file in
        *.service | *.timer | *.path) echo "$file $UNITS/${file##*/}" ;;
        *.preset) echo "$file $PRESETS/${file##*/}" ;;
        *.rules) echo "$file $UDEV/${file##*/}" ;;
        *.conf) echo "$file $JOURNALD/${file##*/}" ;;
        esac
    done
}

# our_units RELEASE: names. A template has instances, which come and go with their cards, so it is left out.
our_units() {
    our_files "$1" | sed -n "s,^.* $UNITS/,,p" | grep -v '@' || true
}

place_units() {
    local from to
    while read -r from to; do
        run mkdir -p "$root${to%/*}"
        run install -m 644 "$from" "$root$to"
    done < <(our_files "$1")
    if has_systemd; then
        run systemctl daemon-reload
        if command -v udevadm >/dev/null; then run udevadm control --reload || warn "udev was not told"; fi
    fi
    our_units "$1" | grep -qx "$main_unit" || return 0
    if has_systemd; then
        run systemctl enable --quiet "$main_unit"
    elif command -v systemctl >/dev/null; then
        run systemctl --root="${root:-/}" enable --quiet "$main_unit"
    else
        warn "no systemctl here: on the board, systemctl enable $main_unit"
    fi
}

# stop_units RELEASE: sets was_active, what has to run again afterwards.
stop_units() {
    local unit
    was_active=()
    has_systemd && [ -n "$1" ] || return 0
    for unit in $(our_units "$1"); do
        systemctl is-active --quiet "$unit" || continue
        # A one-shot that was cut off is started by its timer again; starting it here would wait for its end.
        [ "$(systemctl show --property=Type --value "$unit")" = oneshot ] || was_active+=("$unit")
        run systemctl stop "$unit"
    done
}

# False where one of them does not stay up.
start_units() {
    local unit
    has_systemd || return 0
    for unit in "${was_active[@]}"; do
        run systemctl reset-failed "$unit" 2>/dev/null || true
        run systemctl start "$unit" || return 1
    done
    [ ${#was_active[@]} = 0 ] || run sleep "$STARTED_SECONDS"
    for unit in "${was_active[@]}"; do
        [ -n "$dry_run" ] && continue
        systemctl is-active --quiet "$unit" || return 1
    done
}

# remove_units RELEASE
remove_units() {
    local unit from to
    for unit in $(our_units "$1"); do
        if has_systemd; then
            run systemctl disable --quiet --now "$unit" || true
        elif command -v systemctl >/dev/null; then
            run systemctl --root="${root:-/}" disable --quiet "$unit" || true
        fi
    done
    while read -r from to; do
        run rm -f "$root$to"
    done < <(our_files "$1")
    if has_systemd; then run systemctl daemon-reload; fi
}
