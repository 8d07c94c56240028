CREATE TABLE jobs (
    id TEXT PRIMARY KEY,
    rollout_id TEXT NOT NULL REFERENCES rollouts (id),
    team_id TEXT NOT NULL REFERENCES teams (id),
    batch BIGINT NOT NULL,
    kind TEXT NOT NULL,
    -- queued, claimed, finished (its report waits for the rollout), observed (the rollout took it into account)
    stage TEXT NOT NULL,
    -- The state of its newest attempt, as people see it.
    state TEXT NOT NULL,
    -- Grows with each claim; a write carrying an older number is refused.
    fencing BIGINT NOT NULL,
    queued_at BIGINT NOT NULL,
    started_at BIGINT,
    ended_at BIGINT,
    cancel_asked_at BIGINT,
    cancel_reason TEXT NOT NULL,
    message TEXT NOT NULL,
    report_json TEXT
);
CREATE INDEX jobs_queued ON jobs (queued_at, id) WHERE stage = 'queued';
CREATE INDEX jobs_finished ON jobs (ended_at, id) WHERE stage = 'finished';
CREATE INDEX jobs_by_rollout ON jobs (rollout_id, queued_at, id);
CREATE INDEX jobs_by_time ON jobs (queued_at, id);
CREATE INDEX jobs_by_team ON jobs (team_id, queued_at, id);

-- The hosts a job took when it was queued, and how each stood then.
CREATE TABLE job_hosts (
    job_id TEXT NOT NULL REFERENCES jobs (id),
    host_id TEXT NOT NULL REFERENCES hosts (id),
    phase_before TEXT NOT NULL,
    PRIMARY KEY (job_id, host_id)
);

CREATE TABLE attempts (
    id TEXT PRIMARY KEY,
    job_id TEXT NOT NULL REFERENCES jobs (id),
    number BIGINT NOT NULL,
    state TEXT NOT NULL,
    fencing BIGINT NOT NULL,
    worker TEXT NOT NULL,
    lease_until BIGINT NOT NULL,
    -- Bytes of the attempt's events that were taken in.
    event_offset BIGINT NOT NULL,
    started_at BIGINT,
    ended_at BIGINT,
    message TEXT NOT NULL,
    UNIQUE (job_id, number)
);
CREATE INDEX attempts_open ON attempts (worker, id) WHERE ended_at IS NULL;

CREATE TABLE outbox (
    id TEXT PRIMARY KEY,
    rollout_id TEXT NOT NULL REFERENCES rollouts (id),
    notice_json TEXT NOT NULL,
    tries BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    error TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    done_at BIGINT
);
CREATE INDEX outbox_waiting ON outbox (next_at, id) WHERE done_at IS NULL;

-- One row for each rollout that touched hosts, and how it ended.
CREATE TABLE deployments (
    id TEXT PRIMARY KEY,
    rollout_id TEXT NOT NULL UNIQUE REFERENCES rollouts (id),
    service_id TEXT NOT NULL REFERENCES services (id),
    environment_id TEXT NOT NULL REFERENCES environments (id),
    team_id TEXT NOT NULL REFERENCES teams (id),
    version TEXT NOT NULL,
    outcome TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    finished_at BIGINT NOT NULL,
    failed_at BIGINT
);
CREATE INDEX deployments_by_time ON deployments (finished_at, id);
CREATE INDEX deployments_by_team ON deployments (team_id, finished_at, id);
CREATE INDEX deployments_by_outcome ON deployments (service_id, environment_id, outcome, finished_at);
