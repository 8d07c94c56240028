//! Sessions of signed-in people: opaque data under the hash of an id that only the browser knows.

use domain::{Timestamp, audit::AuditNote, id::UserId};
use policy::Permit;
use view::person::{Here, SessionRow};

use crate::{
    Store,
    audit::{self, Object},
    error::Result,
    sql::{Source, Sql, source},
};

const SESSIONS: Source = source("sessions", "id_hash");
const PEOPLE: Source = source("people", "id");

/// Which sessions of a person end; by the hash of an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending<'a> {
    One(&'a str),
    AllBut(&'a str),
    /// Those that the identity provider ended, by its name for a session; without one, all.
    There(Option<&'a str>),
}

impl Store {
    /// Keeps a new session.
    pub async fn session_insert(
        &self,
        id_hash: &str,
        data: &str,
        user: Option<UserId>,
        there: &str,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<()> {
        let sql = Sql::new(
            "INSERT INTO sessions (id_hash, data, user_id, created_at, expires_at, there) VALUES ($1, $2, $3, $4, $5, $6)",
        );
        sql.with(id_hash)
            .with(data)
            .with(user)
            .with(now)
            .with(expires_at)
            .with(there)
            .run(self.writer())
            .await?;
        Ok(())
    }

    /// Changes a session that is still there: one that was ended meanwhile stays ended.
    pub async fn session_update(
        &self,
        id_hash: &str,
        data: &str,
        user: Option<UserId>,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<()> {
        let sql = Sql::new(
            "UPDATE sessions SET data = $1, user_id = $2, expires_at = $3 WHERE id_hash = $4 AND expires_at > $5",
        );
        sql.with(data)
            .with(user)
            .with(expires_at)
            .with(id_hash)
            .with(now)
            .run(self.writer())
            .await?;
        Ok(())
    }

    /// Keeps what the browser of a session says it is, and where it was.
    pub async fn session_describe(&self, id_hash: &str, agent: &str, address: &str) -> Result<()> {
        Sql::new("UPDATE sessions SET agent = $1, address = $2 WHERE id_hash = $3")
            .with(agent)
            .with(address)
            .with(id_hash)
            .run(self.writer())
            .await?;
        Ok(())
    }

    /// Where a person is signed in, newest first.
    pub async fn sessions_of(&self, user: UserId, now: Timestamp) -> Result<Vec<SessionRow>> {
        let sql = Sql::new(
            "SELECT id_hash, agent, address, created_at, expires_at FROM sessions WHERE user_id = $1 AND expires_at > $2 ORDER BY created_at DESC, id_hash",
        );
        sql.with(user)
            .with(now)
            .all(self.readers(), SESSIONS, |cells| {
                Ok(SessionRow {
                    id: cells.text("id_hash")?,
                    agent: cells.text("agent")?,
                    address: cells.text("address")?,
                    since: cells.time("created_at")?,
                    expires_at: cells.time("expires_at")?,
                    here: Here::Another,
                })
            })
            .await
    }

    /// Ends a session of a person: one, or all but one.
    pub async fn sessions_end(
        &self,
        permit: &Permit,
        user: UserId,
        which: Ending<'_>,
        now: Timestamp,
    ) -> Result<u64> {
        let mut tx = self.begin().await?;
        let mut sql = Sql::new("DELETE FROM sessions WHERE user_id = ");
        sql.bind(user);
        match which {
            Ending::One(id) => sql.push(" AND id_hash = ").bind(id),
            Ending::AllBut(id) => sql.push(" AND id_hash <> ").bind(id),
            Ending::There(None) => &mut sql,
            // Of those without a name nobody knows whether they are meant.
            Ending::There(Some(there)) => sql.push(" AND there IN (").bind(there).push(", '')"),
        };
        let ended = sql.run(&mut *tx).await?;
        if ended > 0 {
            let summary = match ended {
                1 => format!("A session of {} was ended", permit.resource().name),
                many => format!("{many} sessions of {} were ended", permit.resource().name),
            };
            let reason = match which {
                Ending::One(_) | Ending::AllBut(_) => "",
                Ending::There(_) => "Signed out at the identity provider.",
            };
            let note = AuditNote::new("session.end", summary, reason);
            audit::write(&mut tx, permit, &Object::of(permit), &[note], now).await?;
        }
        tx.commit().await?;
        Ok(ended)
    }

    /// Whom an identity provider means by a subject, or by its name for a session; with their name.
    pub async fn signed_in_there(
        &self,
        issuer: &str,
        subject: Option<&str>,
        there: Option<&str>,
    ) -> Result<Option<(UserId, String)>> {
        let mut sql = Sql::new("SELECT p.id, p.name FROM people p WHERE p.issuer = ");
        sql.bind(issuer);
        match (subject, there) {
            (Some(subject), _) => sql.push(" AND p.subject = ").bind(subject),
            (None, Some(there)) => sql
                .push(" AND p.id IN (SELECT s.user_id FROM sessions s WHERE s.there = ")
                .bind(there)
                .push(")"),
            (None, None) => return Ok(None),
        };
        sql.optional(self.readers(), PEOPLE, |cells| {
            Ok((cells.parse("id")?, cells.text("name")?))
        })
        .await
    }

    /// The data of a session that has not expired.
    pub async fn session_load(&self, id_hash: &str, now: Timestamp) -> Result<Option<String>> {
        let sql =
            Sql::new("SELECT id_hash, data FROM sessions WHERE id_hash = $1 AND expires_at > $2")
                .with(id_hash)
                .with(now);
        sql.optional(self.readers(), SESSIONS, |cells| cells.text("data"))
            .await
    }

    /// Ends a session, for good: not even a power cut brings it back.
    pub async fn session_delete(&self, id_hash: &str) -> Result<()> {
        let mut tx = self.begin().await?;
        Sql::new("DELETE FROM sessions WHERE id_hash = $1")
            .with(id_hash)
            .run(&mut *tx)
            .await?;
        Ok(tx.commit().await?)
    }

    /// Deletes sessions that have expired; gives how many.
    pub async fn sessions_expire(&self, now: Timestamp) -> Result<u64> {
        Sql::new("DELETE FROM sessions WHERE expires_at <= $1")
            .with(now)
            .run(self.writer())
            .await
    }
}
