CREATE TABLE rollouts (
    id TEXT PRIMARY KEY,
    service_id TEXT NOT NULL REFERENCES services (id),
    environment_id TEXT NOT NULL REFERENCES environments (id),
    team_id TEXT NOT NULL REFERENCES teams (id),
    version TEXT NOT NULL,
    digest TEXT NOT NULL,
    -- A person or the user of a token.
    requested_by TEXT NOT NULL,
    requested_by_name TEXT NOT NULL,
    state TEXT NOT NULL,
    state_json TEXT NOT NULL,
    -- Moves when there is something new to decide; people send back the one they saw.
    decision_version BIGINT NOT NULL,
    -- Moves with every commit.
    revision BIGINT NOT NULL,
    released_at BIGINT,
    failed_at BIGINT,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    idempotency_key TEXT,
    -- Never changes after it was written; last, because it may be large.
    plan_json TEXT NOT NULL,
    UNIQUE (requested_by, idempotency_key)
);
CREATE INDEX rollouts_by_time ON rollouts (created_at, id);
CREATE INDEX rollouts_by_team ON rollouts (team_id, created_at, id);
CREATE INDEX rollouts_by_service ON rollouts (service_id, created_at, id);
CREATE INDEX rollouts_by_environment ON rollouts (environment_id, created_at, id);
CREATE INDEX rollouts_by_state ON rollouts (state, created_at, id);

CREATE TABLE batches (
    rollout_id TEXT NOT NULL REFERENCES rollouts (id),
    number BIGINT NOT NULL,
    host_count BIGINT NOT NULL,
    bake_seconds BIGINT NOT NULL,
    state TEXT NOT NULL,
    state_json TEXT NOT NULL,
    verdict_json TEXT,
    started_at BIGINT,
    verified_at BIGINT,
    next_look BIGINT,
    PRIMARY KEY (rollout_id, number)
);

-- Progress of hosts has rows of its own and never moves the version people decide on.
CREATE TABLE rollout_hosts (
    rollout_id TEXT NOT NULL REFERENCES rollouts (id),
    host_id TEXT NOT NULL REFERENCES hosts (id),
    batch BIGINT NOT NULL,
    position BIGINT NOT NULL,
    name TEXT NOT NULL,
    phase TEXT NOT NULL,
    version_before TEXT,
    version_observed TEXT,
    message TEXT NOT NULL,
    PRIMARY KEY (rollout_id, host_id)
);
CREATE INDEX rollout_hosts_in_order ON rollout_hosts (rollout_id, batch, position);
CREATE INDEX rollout_hosts_by_phase ON rollout_hosts (rollout_id, batch, phase);
CREATE INDEX rollout_hosts_by_host ON rollout_hosts (host_id);

CREATE TABLE change_requests (
    id TEXT PRIMARY KEY,
    rollout_id TEXT NOT NULL UNIQUE REFERENCES rollouts (id),
    digest TEXT NOT NULL,
    reason TEXT NOT NULL,
    requested_by TEXT NOT NULL,
    requested_by_name TEXT NOT NULL,
    state TEXT NOT NULL,
    state_json TEXT NOT NULL,
    -- NULL until somebody approves, and where no approval is required.
    approved_by TEXT,
    -- Separation of duties, kept by the database whatever the code does.
    CONSTRAINT requester_is_not_approver CHECK (approved_by IS NULL OR approved_by <> requested_by)
);

-- Two rollouts never change one service on one host at the same time.
CREATE TABLE reservations (
    host_id TEXT NOT NULL REFERENCES hosts (id),
    service_id TEXT NOT NULL REFERENCES services (id),
    rollout_id TEXT NOT NULL REFERENCES rollouts (id),
    PRIMARY KEY (host_id, service_id)
);
CREATE INDEX reservations_by_rollout ON reservations (rollout_id);

-- When a rollout has to be looked at without anybody asking.
CREATE TABLE timers (
    rollout_id TEXT PRIMARY KEY REFERENCES rollouts (id),
    due_at BIGINT NOT NULL
);
CREATE INDEX timers_by_due ON timers (due_at);
