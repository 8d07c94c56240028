//! PostgreSQL: writers lock the rows they change.

use std::str::FromStr;

use sqlx::{AnyConnection, Connection, Executor, migrate::Migrator, postgres::PgConnectOptions};

use crate::error::Result;

pub(crate) const BEGIN: &str = "BEGIN";
pub(crate) const BEGIN_RELAXED: &str = "BEGIN; SET LOCAL synchronous_commit = off";
pub(crate) const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

pub(crate) static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/postgres");

/// For statements that come again and again with other ids of the same kind: planning them each time anew would take longer
/// than running them. A plan is kept from when tables were small to when they are large, so it goes by indexes from the
/// first; and by the index itself, which forgets rows that are gone, as a bitmap of it does not. Words of the trail, which only bitmaps find, are for readers.
pub(crate) async fn prepare_writer(connection: &mut AnyConnection) -> sqlx::Result<()> {
    prepare(connection).await?;
    connection
        .execute("SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_bitmapscan = off")
        .await?;
    Ok(())
}

/// For pages. One that takes long gives its connection back, so that the others are still shown.
pub(crate) async fn prepare_reader(connection: &mut AnyConnection) -> sqlx::Result<()> {
    prepare(connection).await?;
    connection.execute("SET statement_timeout = '15s'").await?;
    Ok(())
}

/// A lock that somebody else holds is an answer after five seconds, as on SQLite.
async fn prepare(connection: &mut AnyConnection) -> sqlx::Result<()> {
    connection.execute("SET lock_timeout = '5s'").await?;
    // Compiling a statement takes longer than any of ours takes to run.
    connection.execute("SET jit = off").await?;
    Ok(())
}

/// Names the lock in the database; nobody else uses this number.
const SERVING: i64 = 0x51_19_AA_1F;

/// The connection that holds the lock for as long as it lives; nothing when another one holds it. It must be a session
/// of its own at the server, which a pooler between the two may not give.
pub(crate) async fn serve_lock(url: &str) -> Result<Option<AnyConnection>> {
    let mut connection = AnyConnection::connect(url).await?;
    let held: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
        .bind(SERVING)
        .fetch_one(&mut connection)
        .await?;
    Ok(held.then_some(connection))
}

pub(crate) fn name_of(url: &str) -> String {
    let Ok(options) = PgConnectOptions::from_str(url) else {
        return "of that address".to_owned();
    };
    let database = options
        .get_database()
        .unwrap_or_else(|| options.get_username());
    format!("{database} on {}", options.get_host())
}
