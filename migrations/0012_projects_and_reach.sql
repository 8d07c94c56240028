-- Playbooks kept in Git. What was fetched last is what new rollouts run; each plan keeps the commit it was made with.
CREATE TABLE projects (
    id TEXT PRIMARY KEY,
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    source_json TEXT NOT NULL,
    -- Ciphertext of what shows that we may read it; NULL where anybody may.
    sealed TEXT,
    -- NULL until it was fetched.
    fetched_json TEXT,
    -- Why the last fetch failed; empty when it did not.
    problem TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
-- “release” and “datadog_agent” are those that come with Slipway; anything else is the id of a project.
ALTER TABLE services ADD COLUMN playbooks TEXT NOT NULL DEFAULT 'release';

-- How the hosts of an environment are reached; NULL is as the settings say. Keys and passwords are ciphertext.
ALTER TABLE environments ADD COLUMN reach_json TEXT;
ALTER TABLE environments ADD COLUMN reach_sealed TEXT;
