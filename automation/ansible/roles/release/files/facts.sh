# What the host is, for scripts of the roles that are asked on the way: facts PYTHON prints one NAME=VALUE per line and never fails.
# Reads only what anybody may read; a line that has no value is not told on.
facts() (
    distribution='' version=''
    if [ -r /etc/os-release ]; then
        distribution=$(sed -n 's/^NAME=//p' /etc/os-release | tr -d \''"')
        version=$(sed -n 's/^VERSION_ID=//p' /etc/os-release | tr -d \''"')
    fi
    cloud=$(cat /var/lib/cloud/data/instance-id 2>/dev/null || true)
    case "$cloud" in
    '' | iid-* | nocloud)
        case "$(cat /sys/class/dmi/id/board_asset_tag 2>/dev/null || true)" in
        i-*) cloud=$(cat /sys/class/dmi/id/board_asset_tag) ;; # EC2
        *) cloud='' ;;
        esac
        ;;
    esac
    python=$("$1" --version 2>/dev/null) || python=''
    echo "distribution=$distribution"
    echo "version=$version"
    echo "kernel=$(uname -r)"
    echo "architecture=$(uname -m)"
    echo "hostname=$(uname -n)"
    echo "python=${python#Python }"
    echo "cpus=$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN 2>/dev/null || true)"
    echo "memory_mb=$(sed -n 's/^MemTotal: *\([0-9]*\) kB$/\1/p' /proc/meminfo 2>/dev/null | while read -r kb; do echo $((kb / 1024)); done)"
    echo "machine_id=$(cat /etc/machine-id 2>/dev/null || cat /var/lib/dbus/machine-id 2>/dev/null || true)"
    echo "cloud_id=$cloud"
)
