-- Who made a token, and who ended it before its time.
ALTER TABLE tokens ADD COLUMN made_by TEXT NOT NULL DEFAULT '';
ALTER TABLE tokens ADD COLUMN ended_at BIGINT;
ALTER TABLE tokens ADD COLUMN ended_by TEXT NOT NULL DEFAULT '';
ALTER TABLE tokens ADD COLUMN ended_reason TEXT NOT NULL DEFAULT '';
CREATE INDEX tokens_newest ON tokens (created_at, id);
