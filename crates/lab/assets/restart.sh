#!/bin/sh
# restart SERVICE [ARGUMENT…]: restarts a service of this lab host from its current release. Arguments go to the daemon.
# Run it as often as you like: it leaves exactly one daemon behind; called as `stop`, none.
set -eu
service=$1
shift
host=$(cd "$(dirname "$0")/.." && pwd)
root=${SLIPWAY_INSTALL_ROOT:-$host/opt/$service}
config=$host/etc/$service.json
pid_file=$host/run/$service.pid
log=$host/log/$service.log

# A process id alone may be somebody else's by now; the command line tells.
is_daemon() {
    tr '\0' ' ' 2>/dev/null <"/proc/$1/cmdline" | grep -qF -- "--config $config"
}

ends_within() {
    tries=$2
    while is_daemon "$1"; do
        [ "$tries" -gt 0 ] || return 1
        tries=$((tries - 1))
        sleep 0.05
    done
}

pid=$(cat "$pid_file" 2>/dev/null || true)
if [ -n "$pid" ] && is_daemon "$pid"; then
    kill -TERM "$pid" 2>/dev/null || true
    if ! ends_within "$pid" 100; then
        kill -KILL "$pid" 2>/dev/null || true
        if ! ends_within "$pid" 100; then
            echo "the daemon with process id $pid does not end: look at it with ps" >&2
            exit 1
        fi
    fi
fi

case $0 in */stop) exit ;; esac

cd /
# A session of its own and no descriptor of ours, so that the ssh session can end.
setsid /usr/bin/python3 "$root/current/bin/$service" --config "$config" "$@" \
    </dev/null >>"$log" 2>&1 &
echo $! >"$pid_file"
