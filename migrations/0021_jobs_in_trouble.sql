-- Few jobs end badly, and among a million others they are found at once.
CREATE INDEX jobs_troubled ON jobs (state, queued_at, id) WHERE state IN ('failed', 'timed_out', 'cancelled', 'unknown', 'resolved');
