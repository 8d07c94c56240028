-- When the output of an ended attempt was sealed, NULL while it lies in its folder; and the bytes of its objects.
ALTER TABLE attempts ADD COLUMN sealed_at BIGINT;
ALTER TABLE attempts ADD COLUMN sealed_bytes BIGINT NOT NULL DEFAULT 0;
CREATE INDEX attempts_unsealed ON attempts (ended_at, id) WHERE ended_at IS NOT NULL AND sealed_at IS NULL AND removed_at IS NULL;
