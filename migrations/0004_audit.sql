-- Who did what. The triggers that refuse to change or delete a line are in the folders sqlite and postgres.
CREATE TABLE audit_events (
    seq BIGINT PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    at BIGINT NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_id TEXT,
    actor_name TEXT NOT NULL,
    action TEXT NOT NULL,
    summary TEXT NOT NULL,
    reason TEXT NOT NULL,
    object_kind TEXT NOT NULL,
    object_id TEXT NOT NULL,
    object_name TEXT NOT NULL,
    team_id TEXT,
    allowed_by TEXT NOT NULL
);
CREATE INDEX audit_events_by_object ON audit_events (object_kind, object_id, seq);
CREATE INDEX audit_events_by_team ON audit_events (team_id, seq);
