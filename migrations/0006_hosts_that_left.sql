-- A host that left the inventory stays for what happened on it; NULL while it is there. Its name is its id then, so that
-- another host may be called as it was.
ALTER TABLE hosts ADD COLUMN removed_at BIGINT;
