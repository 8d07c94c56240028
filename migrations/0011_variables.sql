-- What playbooks are given: a variable belongs to a service, to an environment, or to one environment of a service, and may
-- hold for one group of hosts only. A secret has no value, but ciphertext.
CREATE TABLE variables (
    id TEXT PRIMARY KEY,
    service_id TEXT REFERENCES services (id),
    environment_id TEXT REFERENCES environments (id),
    host_group TEXT,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    value_json TEXT,
    sealed TEXT,
    set_by TEXT NOT NULL,
    set_at BIGINT NOT NULL,
    CHECK (service_id IS NOT NULL OR environment_id IS NOT NULL),
    CHECK ((value_json IS NULL) <> (sealed IS NULL)),
    CHECK ((kind = 'secret') = (sealed IS NOT NULL))
);
CREATE UNIQUE INDEX variables_place ON variables (name, COALESCE(service_id, ''), COALESCE(environment_id, ''), COALESCE(host_group, ''));
CREATE INDEX variables_of_service ON variables (service_id, name);
CREATE INDEX variables_of_environment ON variables (environment_id, name);
