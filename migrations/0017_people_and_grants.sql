-- A person whom an admin keeps out, with the reason; and the groups the provider named last, which rules turn into roles.
ALTER TABLE people ADD COLUMN state TEXT NOT NULL DEFAULT 'active';
ALTER TABLE people ADD COLUMN state_reason TEXT NOT NULL DEFAULT '';
ALTER TABLE people ADD COLUMN groups_json TEXT NOT NULL DEFAULT '{"v":1,"data":[]}';
-- What several sign-ins of one human have in common; empty where nothing is known of it.
ALTER TABLE people ADD COLUMN human TEXT NOT NULL DEFAULT '';
CREATE INDEX people_by_name ON people (name, id);
CREATE INDEX people_by_human ON people (human);

-- Roles that people gave in the console. A row that ended stays: who could do what, and when, is asked years later.
CREATE TABLE grants (
    id TEXT PRIMARY KEY,
    -- A person.
    principal_id TEXT NOT NULL REFERENCES people (id),
    role TEXT NOT NULL,
    -- Where it is held; what is NULL is everywhere.
    team_id TEXT REFERENCES teams (id),
    service_id TEXT REFERENCES services (id),
    environment_id TEXT REFERENCES environments (id),
    reason TEXT NOT NULL,
    granted_by TEXT NOT NULL,
    granted_by_name TEXT NOT NULL,
    granted_at BIGINT NOT NULL,
    -- It ends by itself then.
    expires_at BIGINT,
    -- Somebody took it away.
    ended_at BIGINT,
    ended_by_name TEXT NOT NULL DEFAULT '',
    ended_reason TEXT NOT NULL DEFAULT ''
);
CREATE INDEX grants_by_principal ON grants (principal_id, granted_at);

-- Where a session is, for whoever looks at the list of theirs.
ALTER TABLE sessions ADD COLUMN agent TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN address TEXT NOT NULL DEFAULT '';
CREATE INDEX sessions_by_person ON sessions (user_id);
