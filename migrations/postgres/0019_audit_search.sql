-- The words of each audit event, found by their beginnings. Filled by the insert itself, so no event is ever missing.
CREATE TABLE audit_search (
    seq BIGINT PRIMARY KEY,
    words TSVECTOR NOT NULL
);
CREATE INDEX audit_search_words ON audit_search USING gin (words);

-- What stands between words is left out, as it is of what is searched for. Written as the marks of ASCII, because which other
-- characters are letters depends on the locale of the database.
CREATE FUNCTION words_of_audit(text) RETURNS tsvector LANGUAGE sql IMMUTABLE AS $$
    SELECT to_tsvector('simple', regexp_replace(lower($1), '[\x01-/:-@\[-`{-\x7f]+', ' ', 'g'))
$$;
INSERT INTO audit_search (seq, words)
SELECT seq, words_of_audit(concat_ws(' ', actor_name, action, summary, reason, object_name, allowed_by)) FROM audit_events;

CREATE FUNCTION audit_event_is_found() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit_search (seq, words) VALUES (
        NEW.seq,
        words_of_audit(concat_ws(' ', NEW.actor_name, NEW.action, NEW.summary, NEW.reason, NEW.object_name, NEW.allowed_by))
    );
    RETURN NULL;
END
$$;

CREATE TRIGGER audit_events_are_found AFTER INSERT ON audit_events
FOR EACH ROW EXECUTE FUNCTION audit_event_is_found();
