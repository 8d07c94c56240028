//! Sessions of signed-in people: opaque data under the hash of an id that only the browser knows.

use domain::{Timestamp, id::UserId};

use crate::{
    Store,
    error::Result,
    sql::{Source, Sql, source},
};

const SESSIONS: Source = source("sessions", "id_hash");

impl Store {
    /// Keeps a new session.
    pub async fn session_insert(
        &self,
        id_hash: &str,
        data: &str,
        user: Option<UserId>,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<()> {
        let sql = Sql::new(
            "INSERT INTO sessions (id_hash, data, user_id, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)",
        );
        sql.with(id_hash)
            .with(data)
            .with(user)
            .with(now)
            .with(expires_at)
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
