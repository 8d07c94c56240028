-- What of an object an action changed, and the request it was done by. Lines of before have nothing of it, which is true.
ALTER TABLE audit_events ADD COLUMN changes_json TEXT;
ALTER TABLE audit_events ADD COLUMN request_id TEXT NOT NULL DEFAULT '';
ALTER TABLE audit_events ADD COLUMN address TEXT NOT NULL DEFAULT '';
