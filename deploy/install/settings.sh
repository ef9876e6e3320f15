# shellcheck shell=bash
# shellcheck disable=SC2154 # what is not set here, main.sh or a board's install.sh sets
# The account, its folders, and the settings, which belong to the person who edits them and are never written over.

make_account() {
    local group
    if ! in_root getent passwd "$account" >/dev/null 2>&1; then
        run_in_root useradd --system --user-group --home-dir "$data" --no-create-home --shell /usr/sbin/nologin \
            "$account"
    fi
    # Sensors and accelerators belong to these groups; which there are differs from board to board.
    for group in "${extra_groups[@]}"; do
        if in_root getent group "$group" >/dev/null 2>&1; then run_in_root usermod -aG "$group" "$account"; fi
    done
}

make_folders() {
    run_in_root mkdir -p "$home" "$etc" "$data" "$cache" "${other_folders[@]}"
    run_in_root chown "root:$account" "$etc"
    run_in_root chmod 750 "$etc"
    run_in_root chown "$account:$account" "$data" "$cache"
    run_in_root chmod 750 "$data" "$cache"
}

# The shipped settings are kept beside the program: what changed in them since is worth showing.
place_settings() {
    local shipped=$checkout/deploy/$settings_file chosen=$root$etc/$settings_file last=$root$home/shipped/$settings_file
    if [ ! -e "$chosen" ] || { [ -e "$last" ] && cmp -s "$last" "$chosen" && ! cmp -s "$last" "$shipped"; }; then
        # Settings that nobody has edited yet are the shipped ones.
        run install -m 640 "$shipped" "$chosen"
        run_in_root chown "root:$account" "$etc/$settings_file"
        say "$etc/$settings_file: edit it before the first start"
    elif [ -e "$last" ] && ! cmp -s "$shipped" "$last" && ! cmp -s "$shipped" "$chosen"; then
        run install -m 640 "$shipped" "$chosen.new"
        run_in_root chown "root:$account" "$etc/$settings_file.new"
        say "$etc/$settings_file stays as it is; the defaults changed, see $etc/$settings_file.new"
    fi
    run mkdir -p "$root$home/shipped"
    run install -m 644 "$shipped" "$last"
}

# Whether a person has edited the settings: the example's broker is nobody's.
is_configured() {
    local chosen=$root$etc/$settings_file
    [ -e "$chosen" ] && ! cmp -s "$chosen" "$checkout/deploy/$settings_file" &&
        ! cmp -s "$chosen" "$root$home/shipped/$settings_file"
}

# Data and settings, after saying what goes.
purge() {
    local place
    for place in "$etc" "$data" "$cache"; do
        [ -e "$root$place" ] || continue
        say "removing $root$place: $(find "$root$place" -type f | wc -l) files, $(du -sh "$root$place" | cut -f 1)"
        run rm -rf "$root$place"
    done
    if in_root getent passwd "$account" >/dev/null 2>&1; then run_in_root userdel "$account"; fi
}

say_what_waits() {
    local release
    release=$(current_release)
    [ "$role" = device ] && [ -n "$release" ] && is_configured || return 0
    in_root "$release/bin/edge-runtime" status -c "$etc/$settings_file" 2>/dev/null |
        grep -E '^(photos|outbox)' | sed 's/^/edge-install: in it: /' || true
}
