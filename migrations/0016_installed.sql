-- What each host was last seen to run of each service: written with the sighting, so that nobody sorts the past to read it.
CREATE TABLE installed (
    service_id TEXT NOT NULL REFERENCES services (id),
    host_id TEXT NOT NULL REFERENCES hosts (id),
    version TEXT NOT NULL,
    PRIMARY KEY (service_id, host_id)
);
CREATE INDEX installed_by_host ON installed (host_id);
INSERT INTO installed (service_id, host_id, version)
SELECT seen.service_id, seen.host_id, seen.version FROM (
    SELECT r.service_id, h.host_id, COALESCE(h.version_observed, h.version_before) AS version,
        ROW_NUMBER() OVER (PARTITION BY h.host_id, r.service_id ORDER BY r.released_at DESC, r.id DESC) AS age
    FROM rollout_hosts h JOIN rollouts r ON r.id = h.rollout_id
    WHERE COALESCE(h.version_observed, h.version_before) IS NOT NULL
) seen WHERE seen.age = 1;

-- Who asked for a job to be stopped.
ALTER TABLE jobs ADD COLUMN cancelled_by TEXT NOT NULL DEFAULT '';
UPDATE jobs SET cancelled_by = 'Slipway' WHERE cancel_asked_at IS NOT NULL AND cancel_reason = 'The rollout no longer needs it.';
