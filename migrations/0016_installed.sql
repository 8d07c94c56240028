-- What each host in an inventory was last seen to run of each service: written with the sighting, so that nobody sorts the
-- past to read it.
CREATE TABLE installed (
    service_id TEXT NOT NULL REFERENCES services (id),
    host_id TEXT NOT NULL REFERENCES hosts (id),
    -- The host's own, so that versions are counted in the index alone.
    environment_id TEXT NOT NULL REFERENCES environments (id),
    version TEXT NOT NULL,
    PRIMARY KEY (service_id, host_id)
);
CREATE INDEX installed_by_host ON installed (host_id);
CREATE INDEX installed_by_version ON installed (service_id, environment_id, version);
INSERT INTO installed (service_id, host_id, environment_id, version)
SELECT seen.service_id, seen.host_id, seen.environment_id, seen.version FROM (
    SELECT r.service_id, h.host_id, m.environment_id, COALESCE(h.version_observed, h.version_before) AS version,
        -- An older rollout may have been rolled back after a newer one.
        ROW_NUMBER() OVER (PARTITION BY h.host_id, r.service_id ORDER BY r.changed_at DESC, r.id DESC) AS age
    FROM rollout_hosts h JOIN rollouts r ON r.id = h.rollout_id JOIN hosts m ON m.id = h.host_id
    WHERE r.released_at IS NOT NULL AND m.removed_at IS NULL AND COALESCE(h.version_observed, h.version_before) IS NOT NULL
) seen WHERE seen.age = 1;

-- Who asked for a job to be stopped.
ALTER TABLE jobs ADD COLUMN cancelled_by TEXT NOT NULL DEFAULT '';
UPDATE jobs SET cancelled_by = COALESCE((
    SELECT a.actor_name FROM audit_events a WHERE a.action = 'job.cancel' AND a.object_kind = 'job' AND a.object_id = jobs.id
    ORDER BY a.seq LIMIT 1
), 'Slipway') WHERE cancel_asked_at IS NOT NULL;
