//! What SQLite and PostgreSQL do not have in common.

pub(crate) mod postgres;
pub(crate) mod sqlite;

use crate::{
    error::{Result, StoreError},
    sql::Sql,
};

/// Which database it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    Sqlite,
    Postgres,
}

impl Backend {
    pub fn of_url(url: &str) -> Result<Self> {
        match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => Ok(Self::Sqlite),
            Some("postgres" | "postgresql") => Ok(Self::Postgres),
            _ => Err(StoreError::Unavailable {
                message: "The database address is neither SQLite nor PostgreSQL. Write “sqlite:///path/to/slipway.db” or “postgres://user:password@host/database”.".to_owned(),
            }),
        }
    }

    /// The database as a person knows it, without what is secret in its address.
    pub fn name_of(url: &str) -> String {
        match Self::of_url(url) {
            Ok(Self::Sqlite) => sqlite::name_of(url),
            Ok(Self::Postgres) => postgres::name_of(url),
            Err(_) => String::new(),
        }
    }

    /// Begins a transaction that will write.
    pub const fn begin(self) -> &'static str {
        match self {
            Self::Sqlite => sqlite::BEGIN,
            Self::Postgres => postgres::BEGIN,
        }
    }

    /// Begins a transaction that will write, and whose commit does not wait for the disk.
    pub const fn begin_relaxed(self) -> &'static str {
        match self {
            Self::Sqlite => sqlite::BEGIN_RELAXED,
            Self::Postgres => postgres::BEGIN_RELAXED,
        }
    }

    /// Ends a `SELECT` whose rows stay locked until the transaction ends.
    pub const fn for_update(self) -> &'static str {
        match self {
            // Whoever writes is alone.
            Self::Sqlite => "",
            Self::Postgres => " FOR NO KEY UPDATE",
        }
    }

    /// Keeps to the rows of `audit_events` in which each of these words, of letters and digits alone, begins a word.
    pub fn holds_words(self, sql: &mut Sql, words: &[String]) {
        match self {
            Self::Sqlite => {
                let wanted: Vec<_> = words.iter().map(|word| format!("\"{word}\"*")).collect();
                sql.push(" AND seq IN (SELECT rowid FROM audit_search WHERE audit_search MATCH ")
                    .bind(wanted.join(" "))
                    .push(")");
            }
            Self::Postgres => {
                let wanted: Vec<_> = words.iter().map(|word| format!("{word}:*")).collect();
                sql.push(" AND seq IN (SELECT seq FROM audit_search WHERE words @@ to_tsquery('simple', ")
                    .bind(wanted.join(" & "))
                    .push("))");
            }
        }
    }

    /// Begins a transaction that reads one consistent state.
    pub const fn snapshot(self) -> &'static str {
        match self {
            Self::Sqlite => sqlite::SNAPSHOT,
            Self::Postgres => postgres::SNAPSHOT,
        }
    }
}
