//! PostgreSQL: writers lock the rows they change.

use sqlx::{AnyConnection, Executor, migrate::Migrator};

pub(crate) const BEGIN: &str = "BEGIN";
pub(crate) const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
/// A job that another worker is just claiming is passed over instead of waited for.
pub(crate) const OLDEST_QUEUED: &str = "SELECT id FROM jobs WHERE stage = 'queued' ORDER BY queued_at, id LIMIT 1 FOR UPDATE SKIP LOCKED";

pub(crate) static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/postgres");

/// A lock that somebody else holds is an answer after five seconds, as on SQLite.
pub(crate) async fn prepare(connection: &mut AnyConnection) -> sqlx::Result<()> {
    connection.execute("SET lock_timeout = '5s'").await?;
    Ok(())
}
