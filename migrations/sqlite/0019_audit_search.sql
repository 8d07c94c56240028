-- The words of each audit event, found by their beginnings. Filled by the insert itself, so no event is ever missing.
CREATE VIRTUAL TABLE audit_search USING fts5 (words, content = '', tokenize = 'unicode61');
INSERT INTO audit_search (rowid, words)
SELECT seq, actor_name || ' ' || action || ' ' || summary || ' ' || reason || ' ' || object_name || ' ' || allowed_by FROM audit_events;

CREATE TRIGGER audit_events_are_found AFTER INSERT ON audit_events
BEGIN
    INSERT INTO audit_search (rowid, words) VALUES (
        new.seq,
        new.actor_name || ' ' || new.action || ' ' || new.summary || ' ' || new.reason || ' ' || new.object_name || ' ' || new.allowed_by
    );
END;
