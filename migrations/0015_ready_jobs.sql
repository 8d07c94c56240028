-- A claim looks only at jobs that may start: among thousands that wait, it never has to sort them.
DROP INDEX jobs_queued;
ALTER TABLE jobs ADD COLUMN environment_id TEXT REFERENCES environments (id);
UPDATE jobs SET environment_id = (SELECT r.environment_id FROM rollouts r WHERE r.id = jobs.rollout_id);
-- The job under way that was found on one of its hosts; forgotten when that one is no longer under way.
ALTER TABLE jobs ADD COLUMN waits_for TEXT REFERENCES jobs (id);
CREATE INDEX jobs_ready ON jobs (kind, environment_id, team_id, queued_at, id) WHERE stage = 'queued' AND waits_for IS NULL;
CREATE INDEX jobs_waiting ON jobs (waits_for) WHERE waits_for IS NOT NULL;

-- Hosts of the jobs under way. One job works on a host: kept by the database whatever the code does.
CREATE TABLE busy_hosts (
    host_id TEXT PRIMARY KEY REFERENCES hosts (id),
    job_id TEXT NOT NULL REFERENCES jobs (id)
);
CREATE INDEX busy_hosts_by_job ON busy_hosts (job_id);
INSERT INTO busy_hosts (host_id, job_id)
SELECT t.host_id, MIN(t.job_id) FROM job_hosts t JOIN jobs j ON j.id = t.job_id WHERE j.stage = 'claimed' GROUP BY t.host_id;
