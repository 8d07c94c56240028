//! One server per database: two would give the same attempt to two supervisors.

use std::{convert::Infallible, fs::File, time::Duration};

use sqlx::{AnyConnection, Connection};

use crate::{
    error::{Result, StoreError},
    native::{Backend, postgres, sqlite},
};

/// How often the connection that holds the lock is asked for a sign of life, and how long it may take.
const PULSE: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(5);

/// The database belongs to this process until it is dropped or lost; the system lets go of it however the process ends.
#[derive(Debug)]
pub struct ServeLock(Held);

#[derive(Debug)]
enum Held {
    File { _locked: File, found: sqlite::Found },
    Connection(Box<AnyConnection>),
}

impl ServeLock {
    /// Takes the lock of the database at `url`, or says in one sentence who has it.
    pub async fn take(url: &str) -> Result<Self> {
        sqlx::any::install_default_drivers();
        let held = match Backend::of_url(url)? {
            Backend::Sqlite => sqlite::serve_lock(url)
                .await?
                .map(|(_locked, found)| Held::File { _locked, found }),
            Backend::Postgres => postgres::serve_lock(url)
                .await?
                .map(|connection| Held::Connection(Box::new(connection))),
        };
        held.map(Self).ok_or_else(|| StoreError::Unavailable {
            message: format!(
                "Another Slipway already works on the database {}. Stop it first, or give this one a database of its own with the setting database_url (SLIPWAY_DATABASE_URL).",
                Backend::name_of(url)
            ),
        })
    }

    /// Ends only with an error: when the lock may belong to somebody else by now, or the database is gone.
    pub async fn lost(&mut self) -> Result<Infallible> {
        let connection = match &mut self.0 {
            Held::Connection(connection) => connection,
            Held::File { found, .. } => loop {
                found.still_there()?;
                tokio::time::sleep(PULSE).await;
            },
        };
        loop {
            let alive = tokio::time::timeout(PATIENCE, connection.ping()).await;
            if !matches!(alive, Ok(Ok(()))) {
                return Err(StoreError::Unavailable {
                    message: "The connection that keeps other servers off the database was lost, so Slipway stops before another one starts. Check that the database runs, and start Slipway again; playbooks under way go on.".to_owned(),
                });
            }
            tokio::time::sleep(PULSE).await;
        }
    }
}
