# shellcheck shell=bash
# shellcheck disable=SC2154 # what is not set here, main.sh or a board's install.sh sets
# Whether this board can be installed on at all. Each check says what to do about it and has an exit code of its own.

# Megabytes that a new program needs while the old one is still there, with room for the copy of the journal.
readonly NEEDS_MB=700

check_root_user() {
    if [ "$(id -u)" != 0 ]; then
        if [ -n "$dry_run" ]; then
            warn "a dry run without root: some checks are left out"
            return
        fi
        die "$E_NOT_ROOT" "this needs root: run it with sudo"
    fi
    if [ -n "$root" ] && [ ! -d "$root/usr" ]; then
        die "$E_USAGE" "--root $root: no system lies there (it has no /usr)"
    fi
}

check_architecture() {
    local system
    # Only root may look into another root.
    if [ -n "$root" ] && [ "$(id -u)" != 0 ]; then return; fi
    system=$(in_root dpkg --print-architecture 2>/dev/null) ||
        die "$E_SYSTEM" "this is no Debian, Raspberry Pi OS or Ubuntu: dpkg is missing"
    case " $architectures " in *" $system "*) return ;; esac
    case $system in
    armhf | armel | i386)
        die "$E_32_BIT" "this system is 32-bit ($system), and there are no wheels for it: write the 64-bit image" \
            "(the kernel alone being 64-bit, as 'uname -m' says, does not help)"
        ;;
    esac
    die "$E_ARCHITECTURE" "this is for $board ($architectures), and this system is $system;" \
        "see deploy/raspberry-pi, deploy/jetson and deploy/station"
}

# Sets python_version.
check_python() {
    python_version=unknown
    if [ -n "$root" ] && [ "$(id -u)" != 0 ]; then return; fi
    python_version=$(in_root /usr/bin/python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) ||
        die "$E_PYTHON" "/usr/bin/python3 is missing or does not run: sudo apt install python3"
    case $python_version in
    3.10 | 3.11 | 3.12 | 3.13) ;;
    2.* | 3.?) die "$E_PYTHON" "Python $python_version is too old, 3.10 is the least: $newer_system" ;;
    *) die "$E_PYTHON" "Python $python_version is newer than any that this was made for (3.10 to 3.13)" ;;
    esac
}

check_disk() {
    local place=$root$home free
    while [ ! -d "$place" ]; do place=$(dirname "$place"); done
    free=$(df --output=avail -BM "$place" | tail -n 1 | tr -dc 0-9)
    if [ "$free" -lt "$NEEDS_MB" ]; then
        die "$E_DISK" "$free MB are free at $place and $NEEDS_MB MB are needed: free some (sudo apt clean;" \
            "sudo journalctl --vacuum-size=50M), or take a larger card"
    fi
}

# Only where packages come over the network. Asked through Python, which knows the proxies that pip will use.
check_network() {
    [ -z "$wheels$dry_run" ] || return 0
    local index=${PIP_INDEX_URL:-https://pypi.org/simple}
    /usr/bin/python3 - "$index" <<'PYTHON' || die "$E_NETWORK" "$index cannot be reached. Without a network:" \
        "make a folder of wheels on a PC (make wheelhouse ARCH=aarch64 PYTHON=$python_version)," \
        "bring it here on a stick and give --wheels FOLDER"
import sys, urllib.error, urllib.request
try:
    urllib.request.urlopen(sys.argv[1].rstrip("/") + "/pip/", timeout=20).close()
except urllib.error.HTTPError:
    pass  # It answers, and that is all that was asked.
except (OSError, ValueError) as error:
    sys.exit(f"edge-install: {error}")
PYTHON
}

# The folder of wheels is whole, unchanged, and for this board.
check_wheels() {
    [ -n "$wheels" ] || return 0
    local listed here key value
    for key in SHA256SUMS TARGET; do
        [ -f "$wheels/$key" ] ||
            die "$E_WHEELS" "--wheels $wheels: no $key in it; make it with deploy/install/wheelhouse.sh"
    done
    (cd "$wheels" && sha256sum --check --strict --quiet SHA256SUMS) ||
        die "$E_WHEELS" "--wheels $wheels: damaged, see above: copy it again, or make it again"
    # pip would take a wheel that is in no list as well.
    listed=$(sed 's/^[0-9a-f]* [ *]//' "$wheels/SHA256SUMS" | grep '\.whl$' | LC_ALL=C sort)
    here=$(cd "$wheels" && printf '%s\n' *.whl | LC_ALL=C sort)
    [ "$listed" = "$here" ] ||
        die "$E_WHEELS" "--wheels $wheels: holds wheels that SHA256SUMS does not list: make it again in a new folder"
    case $listed in *pip-*) ;; *) die "$E_WHEELS" "--wheels $wheels: no wheel of pip in it: make it again" ;; esac
    while IFS="=" read -r key value; do
        case $key in
        arch)
            case " $machines " in
            *" $value "*) ;;
            *) die "$E_WHEELS" "--wheels $wheels: is for $value and not for $board ($machines)" ;;
            esac
            ;;
        python)
            [ "$python_version" = unknown ] || [ "$value" = "$python_version" ] ||
                die "$E_WHEELS" "--wheels $wheels: is for Python $value and this system has $python_version:" \
                    "make wheelhouse ARCH=... PYTHON=$python_version"
            ;;
        esac
    done <"$wheels/TARGET"
}
