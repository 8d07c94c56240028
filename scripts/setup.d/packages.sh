# Sourced by scripts/setup: packages of npm and PyPI, each into a folder of this checkout.

# npm_folder NAME FOLDER: what its package-lock.json says, unless that was installed already.
npm_folder() {
    local name=$1 folder=$2
    [ -f "$folder/package-lock.json" ] || return 0
    [ -d "$folder/node_modules" ] && unchanged "$name" "$folder/package-lock.json" && return
    step "$name" "10 s" npm --prefix "$folder" ci --no-audit --no-fund --ignore-scripts || return 1
    remember "$name" "$folder/package-lock.json"
}

node_packages() {
    npm_folder npm-tools . || return 1
    if for_profile demo dev test bench; then npm_folder npm-lab crates/lab/assets || return 1; fi
    if for_profile test bench; then npm_folder npm-end2end end2end || return 1; fi
}

python_packages() {
    [ -x .venv/bin/ansible-playbook ] && .venv/bin/python -c '' 2>/dev/null && unchanged python scripts/requirements.txt && return
    step "ansible-core and pytest in .venv" "15 s" install_python_packages || return 1
    remember python scripts/requirements.txt
}

# Queues that the bench measures beside Slipway's; in a folder of their own, because nothing of Slipway needs them.
peers() {
    [ -x .tools/peers/bin/huey_consumer ] && unchanged peers scripts/requirements-bench.txt && return
    step "huey, procrastinate, Prefect, ansible-runner and ARA in .tools/peers" "1 min" install_peers || return 1
    remember peers scripts/requirements-bench.txt
}

install_peers() {
    python3 -m venv --clear .tools/peers || return 1
    .tools/peers/bin/python -m pip install --quiet --disable-pip-version-check -r scripts/requirements-bench.txt
}

install_python_packages() {
    .venv/bin/python -m pip --version || python3 -m venv --clear .venv || return 1
    .venv/bin/python -m pip install --quiet --disable-pip-version-check -r scripts/requirements.txt
}
