# What the host is, for scripts of the roles that are asked on the way: facts PYTHON prints one NAME=VALUE per line and never fails.
# Reads only what anybody may read; what is not known has no value. Starts few programs, as every host does this in every deploy.
facts() (
    python=$1 distribution='' version='' id='' cloud='' tag='' kb=''
    if [ -r /etc/os-release ]; then
        while IFS='=' read -r name value; do
            value=${value#[\"\']}
            case "$name" in
            NAME) distribution=${value%[\"\']} ;;
            VERSION_ID) version=${value%[\"\']} ;;
            esac
        done </etc/os-release
    fi
    for file in /etc/machine-id /var/lib/dbus/machine-id; do
        if [ -z "$id" ] && [ -r "$file" ]; then read -r id <"$file" || true; fi
    done
    if [ -r /var/lib/cloud/data/instance-id ]; then read -r cloud </var/lib/cloud/data/instance-id || true; fi
    # EC2 writes it there, too.
    if [ -r /sys/class/dmi/id/board_asset_tag ]; then read -r tag </sys/class/dmi/id/board_asset_tag || true; fi
    case "$cloud" in '' | iid-* | nocloud) cloud='' ;; esac
    case "$tag" in i-*) cloud=${cloud:-$tag} ;; esac
    if [ -r /proc/meminfo ]; then read -r _ kb _ </proc/meminfo || true; fi
    python=$("$python" --version 2>/dev/null) || python=''
    # In this order, whatever the order of the letters.
    set -- $(uname -nrm)
    echo "distribution=$distribution"
    echo "version=$version"
    echo "hostname=$1"
    echo "kernel=$2"
    echo "architecture=$3"
    echo "python=${python#Python }"
    echo "cpus=$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN 2>/dev/null || true)"
    echo "memory_mb=$((${kb:-0} / 1024))"
    echo "machine_id=$id"
    echo "cloud_id=$cloud"
)
