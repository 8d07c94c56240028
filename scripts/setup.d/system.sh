# Sourced by scripts/setup: packages of the operating system.

has() { command -v "$1" >/dev/null; }

is_debian() { has apt-get; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# at_least WANTED FOUND: compares two dotted versions.
at_least() { [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }

# Where a system keeps what is often not on PATH. Each prints a path, or nothing.
find_sshd() { PATH="$PATH:/usr/sbin:/usr/local/sbin" command -v sshd || true; }

find_postgres() {
    local found
    found=$(command -v initdb) || found=$(ls -v /usr/lib/postgresql/*/bin/initdb /opt/homebrew/opt/postgresql@*/bin/initdb 2>/dev/null | tail -n 1) || true
    printf '%s' "${found%/initdb}"
}

find_chromium() {
    local name
    for name in chromium google-chrome-stable google-chrome chromium-browser "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"; do
        command -v "$name" && return
    done
    true
}

# What has to be there before this script can do anything, because no package of Debian is new enough everywhere.
check_basics() {
    local version
    has node || fail "Node.js 20 or newer is needed and not on PATH. Install it from https://nodejs.org, then run this again."
    version=$(node --version) && version=${version#v}
    at_least 20 "$version" || fail "Node.js 20 or newer is needed; PATH has $version. Install it from https://nodejs.org, then run this again."
    has npm || fail "npm is needed and not on PATH. It comes with Node.js from https://nodejs.org; then run this again."
    if for_profile demo dev test bench; then
        has python3 || fail "Python 3.11 or newer is needed and not on PATH. Install it from your system's packages or https://python.org, then run this again."
        version=$(python3 -c 'import platform; print(platform.python_version())')
        at_least 3.11 "$version" || fail "Python 3.11 or newer is needed by ansible-core; python3 on PATH is $version. Install a newer one, then run this again."
    fi
}

# Prints the names of the Debian packages that the profile needs and that are not here.
missing_system_packages() {
    local missing=""
    has cc || missing+=" build-essential"
    if for_profile demo dev test bench; then
        [ -n "$(find_sshd)" ] || missing+=" openssh-server"
        has ssh || missing+=" openssh-client"
        python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=" python3-venv"
    fi
    if for_profile test bench; then
        [ -n "$(find_postgres)" ] || missing+=" postgresql"
    fi
    if for_profile test bench; then
        [ -n "$(find_chromium)" ] || missing+=" chromium fonts-dejavu-core"
    fi
    if for_profile test; then
        has strace || missing+=" strace"
    fi
    if for_profile bench; then
        has wrk || missing+=" wrk"
        has rg || missing+=" ripgrep"
    fi
    printf '%s' "${missing# }"
}

can_install_system_packages() {
    is_debian || fail "missing on this machine: $1 (the names are Debian's). This script installs them with apt-get, which is not here: install them with your own package manager, then run this again."
    [ "$(id -u)" = 0 ] || has sudo || fail "missing on this machine: $1. Run as root: apt-get install $1"
    # Asks for the password now, if it has to, and not from the background.
    [ "$(id -u)" = 0 ] || sudo -v
}

install_system_packages() {
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 "$@"
    # The tests start an sshd and a database of their own. Debian's, which nobody asked for, stay off.
    if [ -d /run/systemd/system ]; then
        case " $* " in *" openssh-server "*) as_root systemctl disable --now ssh || true ;; esac
        case " $* " in *" postgresql "*) as_root systemctl disable --now postgresql || true ;; esac
    fi
}
