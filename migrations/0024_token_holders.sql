-- Somebody who is no human: a service account, which only tokens act for.
ALTER TABLE people ADD COLUMN kind TEXT NOT NULL DEFAULT 'human';
-- Who a token acts for; one that was made where Slipway runs acts for itself, with the grants it was made with.
ALTER TABLE tokens ADD COLUMN holder_id TEXT REFERENCES people (id);
-- How much of what its holder may: all, or reading.
ALTER TABLE tokens ADD COLUMN reach TEXT NOT NULL DEFAULT 'all';
CREATE INDEX tokens_by_holder ON tokens (holder_id, created_at);
-- The token something was done with.
ALTER TABLE audit_events ADD COLUMN token_id TEXT;
