//! SQLite: one writer at a time, so a write transaction takes the write lock when it begins; read-then-write in a
//! deferred transaction would fail at once when another writer came first.

use std::{fs::File, path::PathBuf, str::FromStr};

use sqlx::{AnyConnection, Executor, migrate::Migrator, sqlite::SqliteConnectOptions};

use crate::error::{Result, StoreError};

pub(crate) const BEGIN: &str = "BEGIN IMMEDIATE";
pub(crate) const SNAPSHOT: &str = "BEGIN";
/// The transaction is the only writer, so nobody else can pick the same job.
pub(crate) const OLDEST_QUEUED: &str =
    "SELECT id FROM jobs WHERE stage = 'queued' ORDER BY queued_at, id LIMIT 1";

pub(crate) static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/sqlite");

/// Readers and the writer are connections of their own; WAL lets them work side by side.
pub(crate) async fn prepare(connection: &mut AnyConnection, writes: bool) -> sqlx::Result<()> {
    connection.execute("PRAGMA busy_timeout = 5000").await?;
    connection.execute("PRAGMA foreign_keys = ON").await?;
    if writes {
        connection.execute("PRAGMA journal_mode = WAL").await?;
        connection.execute("PRAGMA synchronous = NORMAL").await?;
    } else {
        connection.execute("PRAGMA query_only = ON").await?;
    }
    Ok(())
}

/// The address with leave to create the file.
pub(crate) fn creating(url: &str) -> String {
    match url.contains("mode=") {
        true => url.to_owned(),
        false => format!("{url}{}mode=rwc", if url.contains('?') { '&' } else { '?' }),
    }
}

/// Holds the file beside the database locked until it is dropped: SQLite itself lets two starts migrate at once.
pub(crate) async fn migration_lock(url: &str) -> Result<File> {
    let options = SqliteConnectOptions::from_str(url).map_err(StoreError::unavailable)?;
    let mut path = PathBuf::from(options.get_filename()).into_os_string();
    if path.is_empty() || url.contains(":memory:") || url.contains("mode=memory") {
        return Err(StoreError::Unavailable {
            message: "Slipway keeps its data in a file. Write “sqlite:///path/to/slipway.db”."
                .to_owned(),
        });
    }
    path.push(".lock");
    let path = PathBuf::from(path);
    let shown = path.display().to_string();
    let locked = tokio::task::spawn_blocking(move || {
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)?;
        file.lock()?;
        Ok::<File, std::io::Error>(file)
    });
    match locked.await {
        Ok(Ok(file)) => Ok(file),
        Ok(Err(error)) => Err(StoreError::Unavailable {
            message: format!(
                "{shown} cannot be opened: {error}. Create the folder and let Slipway write to it."
            ),
        }),
        Err(error) => Err(StoreError::defect(error)),
    }
}
