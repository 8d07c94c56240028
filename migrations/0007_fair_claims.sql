-- Claims come one after the other, so that no two of them see the same hosts free.
INSERT INTO counters (name, value) VALUES ('claims', 0);
CREATE INDEX jobs_claimed ON jobs (team_id, id) WHERE stage = 'claimed';
