-- What a host told of itself last: system, hardware, identity. Nothing is decided by it.
CREATE TABLE host_facts (
    host_id TEXT PRIMARY KEY REFERENCES hosts (id),
    facts_json TEXT NOT NULL,
    seen_at BIGINT NOT NULL
);
