-- What the identity provider calls the session a sign-in began in, by which it ends it; empty where it gave it no name.
ALTER TABLE sessions ADD COLUMN there TEXT NOT NULL DEFAULT '';
CREATE INDEX sessions_by_there ON sessions (there);
