# Sourced by scripts/setup: running steps, alone or beside one another, and telling the person what goes on.

fail() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}

# Waits for another scripts/setup in this checkout, if there is one.
one_at_a_time() {
    if command -v flock >/dev/null; then
        exec 9>.tools/lock
        flock -n 9 || {
            echo "setup: another scripts/setup is running in this checkout; waiting for it."
            flock 9
        }
    fi
    : >.tools/log/did
}

# step NAME USUAL_TIME COMMAND…: runs the command with its output in a log, and says so before and after.
step() {
    local name=$1 usual=$2 began=$SECONDS log
    shift 2
    log=.tools/log/$(printf '%s' "${name%%:*}" | tr -c 'a-zA-Z0-9.\n' -).log
    echo "$name" >>.tools/log/did
    echo "setup: $name … (usually $usual)"
    if "$@" >"$log" 2>&1 </dev/null 9>&-; then
        echo "setup: $name: done in $((SECONDS - began)) s"
    else
        echo "setup: $name failed. The end of $log:" >&2
        tail -n 20 "$log" | sed 's/^/    /' >&2
        return 1
    fi
}

beside_jobs=()

# beside COMMAND…: starts the command in the background; finish_beside waits for all of them.
beside() {
    "$@" &
    beside_jobs+=("$!")
}

# Bash lets background jobs ignore Ctrl-C, so they are ended by hand, together with what they started.
stop_tree() {
    local child
    for child in $(pgrep -P "$1"); do stop_tree "$child"; done
    kill "$1" 2>/dev/null || true
}

stop_beside() {
    local job
    for job in "${beside_jobs[@]}"; do stop_tree "$job"; done
    fail "interrupted. What is done is kept; the same command goes on from there."
}
trap stop_beside INT TERM

finish_beside() {
    local job failed=0
    for job in "${beside_jobs[@]}"; do wait "$job" || failed=1; done
    [ "$failed" = 0 ] || fail "not everything could be installed (see above). Put it right and run the same command again: what is done is kept."
}

# unchanged NAME FILE…: true when `remember NAME FILE…` was called with the same content of those files.
unchanged() {
    local name=$1
    shift
    [ -f ".tools/stamp/$name" ] && [ "$(cat ".tools/stamp/$name")" = "$(cat "$@" | cksum)" ]
}

remember() {
    local name=$1
    shift
    cat "$@" | cksum >".tools/stamp/$name"
}
