//! Databases that live as long as a test.

use sqlx::{AnyConnection, AssertSqlSafe, Connection};
use store::Store;
use tempfile::TempDir;

use crate::{mint, postgres};

/// A fresh database with an open store.
#[derive(Debug)]
pub struct Database {
    pub store: Store,
    pub url: String,
    /// A folder of its own, which also holds the file of an SQLite database.
    pub folder: TempDir,
}

impl Database {
    /// A new file.
    pub async fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!("sqlite://{}", folder.path().join("slipway.db").display());
        let store = Store::open(&url).await.expect("the store opens");
        Self { store, url, folder }
    }

    /// A new database in the private cluster of this process.
    pub async fn postgres() -> Self {
        let url = postgres::fresh(&format!("t{}", mint().simple())).await;
        let store = Store::open(&url).await.expect("the store opens");
        Self {
            store,
            url,
            folder: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    /// The address of a new and empty database in a cluster of this process that keeps what was committed.
    pub async fn lasting_postgres() -> String {
        postgres::lasting(&format!("t{}", mint().simple())).await
    }

    /// Runs statements behind the store's back, to damage rows or to try what the database itself refuses.
    pub async fn try_run(&self, sql: &str) -> Result<(), sqlx::Error> {
        try_run(&self.url, sql).await
    }

    /// A connection of its own on which these statements were run: it holds what they locked until it is dropped.
    pub async fn hold(&self, sql: &str) -> AnyConnection {
        let mut connection = AnyConnection::connect(&self.url)
            .await
            .expect("the database answers");
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .execute(&mut connection)
            .await
            .expect("the statements run");
        connection
    }

    /// As `try_run`, for what must succeed.
    pub async fn run(&self, sql: &str) {
        run(&self.url, sql).await;
    }
}

async fn try_run(url: &str, sql: &str) -> Result<(), sqlx::Error> {
    sqlx::any::install_default_drivers();
    let mut connection = AnyConnection::connect(url).await?;
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(&mut connection)
        .await?;
    connection.close().await
}

/// Runs statements in any database, which have to succeed.
pub async fn run(url: &str, sql: &str) {
    if let Err(error) = try_run(url, sql).await {
        panic!("{sql}: {error}");
    }
}
