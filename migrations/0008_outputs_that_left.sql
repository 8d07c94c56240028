-- When the files of an ended attempt were removed; NULL while they are there.
ALTER TABLE attempts ADD COLUMN removed_at BIGINT;
CREATE INDEX attempts_kept ON attempts (ended_at, id) WHERE ended_at IS NOT NULL AND removed_at IS NULL;
