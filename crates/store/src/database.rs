//! Opening a database, and the two kinds of transaction.

use std::{collections::BTreeSet, time::Duration};

use sqlx::{
    Any, AnyConnection, AnyPool, Connection, Transaction,
    any::AnyPoolOptions,
    migrate::{Migration, Migrator},
};

use crate::{
    error::{Result, StoreError},
    native::{Backend, postgres, sqlite},
    sql::{Sql, source},
};

/// A transaction that writes; dropped without commit it leaves nothing behind.
pub(crate) type Tx = Transaction<'static, Any>;

static PORTABLE: Migrator = sqlx::migrate!("../../migrations");

/// How long a caller waits for a free connection; a little longer than for a lock, so that the lock is named.
const PATIENCE: Duration = Duration::from_secs(6);
/// A connection that was not used for longer may be gone: no server is back so soon.
const IDLE: Duration = Duration::from_millis(100);
const READERS: u32 = 4;
/// Each, for pages and for what writes.
const POSTGRES_CONNECTIONS: u32 = 10;

/// The database. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct Store {
    backend: Backend,
    writer: AnyPool,
    readers: AnyPool,
}

/// What becomes of the tables when a database is opened.
#[derive(Clone, Copy)]
enum Tables {
    BroughtUpToDate,
    AsTheyAre,
}

impl Store {
    /// Opens `sqlite:///absolute/path.db` (made if missing) or `postgres://…` and brings its tables up to date.
    pub async fn open(url: &str) -> Result<Self> {
        Self::open_with(url, Tables::BroughtUpToDate).await
    }

    /// Opens it beside a server that works on it, whose tables are not changed; refused if that is another version.
    pub async fn open_beside(url: &str) -> Result<Self> {
        Self::open_with(url, Tables::AsTheyAre).await
    }

    async fn open_with(url: &str, tables: Tables) -> Result<Self> {
        sqlx::any::install_default_drivers();
        let store = match Backend::of_url(url)? {
            Backend::Sqlite => {
                let url = sqlite::creating(url);
                // One process at a time migrates; the lock is given back when this is done.
                let _lock = sqlite::migration_lock(&url).await?;
                let writer = sqlite_pool(1, true).connect(&url).await?;
                migrate(&writer, &sqlite::MIGRATIONS, tables).await?;
                let readers = sqlite_pool(READERS, false).connect(&url).await?;
                Self {
                    backend: Backend::Sqlite,
                    writer,
                    readers,
                }
            }
            Backend::Postgres => {
                // A pool would go on trying a closed port until its patience ends, and not say why.
                AnyConnection::connect(url).await?.close().await?;
                // They read whole tables, once, for as long as it takes.
                let migrating = AnyPoolOptions::new()
                    .max_connections(1)
                    .connect(url)
                    .await?;
                migrate(&migrating, &postgres::MIGRATIONS, tables).await?;
                migrating.close().await;
                let writer = postgres_pool()
                    .after_connect(|connection, _| Box::pin(postgres::prepare_writer(connection)))
                    .connect(url)
                    .await?;
                let readers = postgres_pool()
                    .after_connect(|connection, _| Box::pin(postgres::prepare_reader(connection)))
                    .connect(url)
                    .await?;
                Self {
                    backend: Backend::Postgres,
                    writer,
                    readers,
                }
            }
        };
        Ok(store)
    }

    /// Asks the database for a sign of life.
    pub async fn ping(&self) -> Result<()> {
        Sql::new("SELECT name FROM counters WHERE name = 'audit'")
            .run(self.repeated())
            .await
            .map(|_| ())
    }

    /// The number that tells this database from others: the one it has, or from now on `drawn`. Nothing where it has none and
    /// is to get none.
    pub async fn installation(&self, drawn: Option<i64>) -> Result<Option<i64>> {
        const NAME: &str = "installation";
        let mut tx = self.begin().await?;
        if let Some(drawn) = drawn {
            Sql::new(
                "INSERT INTO counters (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
            )
            .with(NAME)
            .with(drawn)
            .run(&mut *tx)
            .await?;
        }
        let sql = Sql::new("SELECT name, value FROM counters WHERE name = $1").with(NAME);
        let known = sql
            .optional(&mut *tx, source("counters", "name"), |cells| {
                cells.int("value")
            })
            .await?;
        tx.commit().await?;
        Ok(known)
    }

    /// Ends every connection; later calls find the database unavailable.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    pub(crate) const fn backend(&self) -> Backend {
        self.backend
    }

    /// Begins a transaction that writes. What it commits outlives a power cut, and so does all that was committed before.
    pub(crate) async fn begin(&self) -> Result<Tx> {
        Ok(self.writer.begin_with(self.backend.begin()).await?)
    }

    /// Begins a transaction that writes what Slipway finds out again: how far runs came, and what follows from it. A power
    /// cut may undo the newest of these, in their order and as a whole; then it is found out again. Nobody waits for the
    /// disk, which takes longer than all the rest.
    pub(crate) async fn begin_relaxed(&self) -> Result<Tx> {
        Ok(self.writer.begin_with(self.backend.begin_relaxed()).await?)
    }

    /// Makes everything that was committed outlive a power cut.
    pub async fn settle(&self) -> Result<()> {
        let mut tx = self.begin().await?;
        Sql::new("UPDATE counters SET value = value + 1 WHERE name = 'claims'")
            .run(&mut *tx)
            .await?;
        Ok(tx.commit().await?)
    }

    /// Begins a transaction that reads one consistent state.
    pub(crate) async fn snapshot(&self) -> Result<Tx> {
        Ok(self.readers.begin_with(self.backend.snapshot()).await?)
    }

    pub(crate) const fn readers(&self) -> &AnyPool {
        &self.readers
    }

    pub(crate) const fn writer(&self) -> &AnyPool {
        &self.writer
    }

    /// For what reconcilers read again and again in the same form: where several may write, the plans of those are kept.
    pub(crate) const fn repeated(&self) -> &AnyPool {
        match self.backend {
            Backend::Sqlite => &self.readers,
            Backend::Postgres => &self.writer,
        }
    }
}

fn postgres_pool() -> AnyPoolOptions {
    AnyPoolOptions::new()
        .max_connections(POSTGRES_CONNECTIONS)
        .acquire_timeout(PATIENCE)
        // Asking a connection whether it lives takes as long as asking for a row.
        .test_before_acquire(false)
        .before_acquire(|connection, used| {
            Box::pin(async move {
                if used.idle_for > IDLE {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
}

fn sqlite_pool(connections: u32, writes: bool) -> AnyPoolOptions {
    AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(PATIENCE)
        // A file needs no ping before each use.
        .test_before_acquire(false)
        .after_connect(move |connection, _| Box::pin(sqlite::prepare(connection, writes)))
}

/// Runs the portable migrations and those of one database as one list; two lists would each miss the other's.
async fn migrate(pool: &AnyPool, native: &Migrator, tables: Tables) -> Result<(), StoreError> {
    let all: Vec<Migration> = PORTABLE.iter().chain(native.iter()).cloned().collect();
    match tables {
        Tables::BroughtUpToDate => Ok(Migrator::with_migrations(all).run(pool).await?),
        Tables::AsTheyAre => {
            let known: BTreeSet<i64> = all.iter().map(|migration| migration.version).collect();
            let sql = Sql::new("SELECT version AS id, version FROM _sqlx_migrations WHERE success");
            let there = sql.all(pool, source("_sqlx_migrations", "version"), |cells| {
                cells.int("version")
            });
            if there.await?.into_iter().collect::<BTreeSet<i64>>() == known {
                return Ok(());
            }
            Err(StoreError::Unavailable {
                message: "The Slipway that works on this database is of another version than this program. Use the program of the one that runs, or stop it first.".to_owned(),
            })
        }
    }
}
