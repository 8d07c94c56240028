-- Runs on SQLite and PostgreSQL alike. Ids are UUIDs in TEXT, times are UTC milliseconds in BIGINT, documents are JSON
-- in TEXT that carries its version, and there are no booleans: a state has a name.

-- Numbers given out in the transaction that uses them, so that they have no gaps.
CREATE TABLE counters (
    name TEXT PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO counters (name, value) VALUES ('audit', 0), ('outbox', 0);

CREATE TABLE teams (
    id TEXT PRIMARY KEY,
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

-- A person is known by who vouches for them and under which name, never by e-mail address.
CREATE TABLE people (
    id TEXT PRIMARY KEY,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    name TEXT NOT NULL,
    email TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    UNIQUE (issuer, subject)
);

CREATE TABLE sessions (
    id_hash TEXT PRIMARY KEY,
    data TEXT NOT NULL,
    user_id TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE,
    -- Stands for whoever uses the token; not a row of people.
    user_id TEXT NOT NULL,
    name TEXT NOT NULL,
    grants_json TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT
);

CREATE TABLE services (
    id TEXT PRIMARY KEY,
    team_id TEXT NOT NULL REFERENCES teams (id),
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    repository TEXT NOT NULL,
    -- As in installation, so that no service ever switches or cleans up the releases of another.
    install_root TEXT NOT NULL UNIQUE,
    installation TEXT NOT NULL,
    telemetry TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX services_by_team ON services (team_id, slug);

CREATE TABLE environments (
    id TEXT PRIMARY KEY,
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    purpose TEXT NOT NULL,
    approval TEXT NOT NULL,
    -- Kept by every import, so that a list need not count.
    host_count BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE hosts (
    id TEXT PRIMARY KEY,
    environment_id TEXT NOT NULL REFERENCES environments (id),
    identity TEXT NOT NULL,
    name TEXT NOT NULL,
    criticality TEXT NOT NULL,
    failure_domain TEXT NOT NULL,
    groups_json TEXT NOT NULL,
    variables_json TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    UNIQUE (environment_id, identity),
    -- Ansible knows a host by its name alone.
    UNIQUE (environment_id, name)
);

-- What a machine is known by, its address or its identity, belongs to one environment: whoever may release in another
-- one reaches it from nowhere else.
CREATE TABLE machines (
    known_by TEXT PRIMARY KEY,
    environment_id TEXT NOT NULL REFERENCES environments (id)
);

-- Finds the hosts of a group; hosts.groups_json is what a host is read from.
CREATE TABLE host_groups (
    environment_id TEXT NOT NULL REFERENCES environments (id),
    group_name TEXT NOT NULL,
    host_id TEXT NOT NULL REFERENCES hosts (id) ON DELETE CASCADE,
    PRIMARY KEY (environment_id, group_name, host_id)
);
CREATE INDEX host_groups_by_host ON host_groups (host_id);
