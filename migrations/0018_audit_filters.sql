CREATE INDEX audit_events_by_actor ON audit_events (actor_name, seq);
CREATE INDEX audit_events_by_action ON audit_events (action, seq);
CREATE INDEX audit_events_by_time ON audit_events (at, seq);
