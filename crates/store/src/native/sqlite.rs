//! SQLite: one writer at a time, so a write transaction takes the write lock when it begins; read-then-write in a
//! deferred transaction would fail at once when another writer came first.

use std::{
    fs::{File, TryLockError},
    io,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::PathBuf,
    str::FromStr,
};

use sqlx::{AnyConnection, Connection, Executor, migrate::Migrator, sqlite::SqliteConnectOptions};

use crate::error::{Result, StoreError};

pub(crate) const BEGIN: &str = "PRAGMA synchronous = FULL; BEGIN IMMEDIATE";
pub(crate) const BEGIN_RELAXED: &str = "PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE";
pub(crate) const SNAPSHOT: &str = "BEGIN";

pub(crate) static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/sqlite");

/// Readers and the writer are connections of their own; WAL lets them work side by side.
pub(crate) async fn prepare(connection: &mut AnyConnection, writes: bool) -> sqlx::Result<()> {
    connection.execute("PRAGMA busy_timeout = 5000").await?;
    connection.execute("PRAGMA foreign_keys = ON").await?;
    if writes {
        connection.execute("PRAGMA journal_mode = WAL").await?;
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

/// The file of the database, made for this user alone where it is missing. One connection tries it: a pool would try a
/// file that is no database again and again until its patience ends, and log each time.
pub(crate) async fn file(url: &str) -> Result<PathBuf> {
    let path = path(url)?;
    if path.as_os_str().is_empty() || url.contains(":memory:") || url.contains("mode=memory") {
        return Err(StoreError::Unavailable {
            message: "Slipway keeps its data in a file. Write “sqlite:///path/to/slipway.db”."
                .to_owned(),
        });
    }
    let shown = path.display().to_string();
    let unusable = |why: &dyn std::fmt::Display| StoreError::Unavailable {
        message: format!(
            "{shown} cannot be used as Slipway's database: {why}. Correct the setting database_url (SLIPWAY_DATABASE_URL), or let the user who runs Slipway read and write the file and its folder."
        ),
    };
    if url.contains("mode=rwc") {
        // Files SQLite adds later get the mode of this one. An existing one is not opened here: closing it again would
        // give back what SQLite has locked.
        let made = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path);
        match made {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(unusable(&error));
            }
            _ => {}
        }
    }
    let tried = async {
        let mut connection = AnyConnection::connect(url).await?;
        connection.execute("PRAGMA schema_version").await?;
        connection.close().await
    };
    if let Err(error) = tried.await {
        return Err(match error.as_database_error() {
            // SQLITE_BUSY is no defect of the file.
            Some(refused) if refused.code().as_deref() == Some("5") => error.into(),
            Some(refused) => unusable(&refused.message()),
            None => unusable(&error),
        });
    }
    // Whatever links lead to it, it is one file and has one lock.
    path.canonicalize().map_err(|error| unusable(&error))
}

fn path(url: &str) -> Result<PathBuf> {
    let options = SqliteConnectOptions::from_str(url).map_err(StoreError::unavailable)?;
    Ok(PathBuf::from(options.get_filename()))
}

pub(crate) fn name_of(url: &str) -> String {
    path(url).map_or_else(|_| String::new(), |path| path.display().to_string())
}

/// Holds `slipway.db.lock` locked until it is dropped: SQLite itself lets two starts migrate at once.
pub(crate) async fn migration_lock(url: &str) -> Result<File> {
    let (file, shown) = beside(url, "lock").await?;
    let locked = tokio::task::spawn_blocking(move || file.lock().map(|()| file));
    match locked.await {
        Ok(locked) => locked.map_err(|error| cannot_lock(&shown, &error)),
        Err(error) => Err(StoreError::defect(error)),
    }
}

/// The file of a database, as it was found.
#[derive(Debug)]
pub(crate) struct Found {
    path: PathBuf,
    /// Device and number.
    file: (u64, u64),
}

impl Found {
    fn look(path: PathBuf) -> io::Result<Self> {
        let file = std::fs::metadata(&path).map(|known| (known.dev(), known.ino()))?;
        Ok(Self { path, file })
    }

    /// An error once the file is not there any more, or is another one: what is written goes nowhere then.
    pub fn still_there(&self) -> Result<()> {
        match Self::look(self.path.clone()) {
            Ok(now) if now.file == self.file => Ok(()),
            _ => Err(StoreError::Unavailable {
                message: format!(
                    "The database file {} was moved, removed or replaced while Slipway worked on it, so Slipway stops before more is lost. Bring the file back, or restore a backup, and start Slipway again; playbooks under way go on.",
                    self.path.display()
                ),
            }),
        }
    }
}

/// Holds `slipway.db.serve` locked until it is dropped; nothing when another process holds it. It is not the file of
/// migrations, because a command line may open the database of a running server.
pub(crate) async fn serve_lock(url: &str) -> Result<Option<(File, Found)>> {
    let url = creating(url);
    let (file, shown) = beside(&url, "serve").await?;
    let found = Found::look(self::file(&url).await?);
    match file.try_lock() {
        Ok(()) => {
            let found = found.map_err(|error| cannot_lock(&shown, &error))?;
            Ok(Some((file, found)))
        }
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(cannot_lock(&shown, &error)),
    }
}

/// Opens the file of this ending beside the database.
async fn beside(url: &str, ending: &str) -> Result<(File, String)> {
    let mut path = file(url).await?.into_os_string();
    path.push(format!(".{ending}"));
    let shown = path.to_string_lossy().into_owned();
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(|error| cannot_lock(&shown, &error))?;
    Ok((file, shown))
}

fn cannot_lock(shown: &str, error: &io::Error) -> StoreError {
    StoreError::Unavailable {
        message: format!(
            "{shown} cannot be locked: {error}. Let the user who runs Slipway write to its folder, which must be on a disk of this machine."
        ),
    }
}
