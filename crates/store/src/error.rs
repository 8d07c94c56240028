//! What can go wrong, as sentences.

use domain::id::JobId;
use sqlx::error::{DatabaseError, ErrorKind};

/// Why the store did not do what was asked. Nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    #[error(
        "{what} was changed by somebody or something else in the meantime, so nothing was done. Reload, look again, and decide then."
    )]
    Conflict { what: String },
    /// `rollout` is the name of the rollout that holds the host.
    #[error(
        "Host {host} is still held by the rollout of {rollout}. Let that rollout end, or roll it back, and release this one then."
    )]
    Reserved { host: String, rollout: String },
    /// `rollout` is the name of the rollout that went to the same hosts since.
    #[error(
        "{rollout} went to these hosts since. Roll that one back first, or request the version you want as a new rollout."
    )]
    Superseded { rollout: String },
    /// `rollout` is the name of the rollout that was made under the key.
    #[error(
        "{rollout} was already requested with this form (or idempotency key), as another plan than this one. Look at that rollout, or open a new form and request again."
    )]
    KeyTaken { rollout: String },
    /// `rollout` is the name of the rollout with the same plan that nobody has released yet.
    #[error(
        "{rollout} was already requested with exactly this plan, by {by}, and is not released yet. Go on with that rollout, or withdraw it first."
    )]
    AlreadyRequested { rollout: String, by: String },
    #[error("The job {job} was already taken into account.")]
    AlreadyObserved { job: JobId },
    #[error("{what} does not exist, or you may not see it. Look for it in its list.")]
    NotFound { what: String },
    #[error("{message}")]
    Duplicate {
        field: &'static str,
        message: String,
    },
    /// A value the database cannot take, such as a cursor nobody was given.
    #[error("{message}")]
    Invalid {
        field: &'static str,
        message: String,
    },
    #[error("{message}")]
    Unavailable { message: String },
    #[error(
        "The database holds something Slipway cannot read: table {table}, column {column}, row {row}: {message}. Restore that row from a backup, or report this with the version of Slipway."
    )]
    Corrupt {
        table: &'static str,
        column: String,
        row: String,
        message: String,
    },
    /// A rule of the database was broken, or a statement was refused: a defect in Slipway.
    #[error(
        "The database refused what Slipway asked of it: {message}. Nothing was changed. Report this with the version of Slipway."
    )]
    Defect { message: String },
}

pub(crate) type Result<T, E = StoreError> = std::result::Result<T, E>;

impl StoreError {
    pub(crate) fn conflict(what: impl Into<String>) -> Self {
        Self::Conflict { what: what.into() }
    }

    pub(crate) fn not_found(what: impl Into<String>) -> Self {
        Self::NotFound { what: what.into() }
    }

    pub(crate) fn unavailable(error: impl std::fmt::Display) -> Self {
        Self::Unavailable {
            message: format!(
                "The database does not answer: {error}. Nothing was changed. Check that it runs and is reachable, then try again."
            ),
        }
    }

    pub(crate) fn defect(message: impl std::fmt::Display) -> Self {
        Self::Defect {
            message: message.to_string().trim_end_matches('.').to_owned(),
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error as E;
        match &error {
            E::Database(refused) => of_database(refused.as_ref()),
            E::PoolTimedOut => Self::Unavailable {
                message: "No connection to the database became free in time: it is busy, locked by another process, or gone. Nothing was changed. Try again in a moment; if it stays so, check that it runs.".to_owned(),
            },
            E::Io(_) | E::Tls(_) | E::PoolClosed | E::WorkerCrashed | E::Protocol(_) | E::Configuration(_) | E::BeginFailed => Self::unavailable(error),
            _ => Self::defect(error),
        }
    }
}

fn of_database(error: &(dyn DatabaseError + 'static)) -> StoreError {
    match error.kind() {
        ErrorKind::UniqueViolation => {
            return StoreError::conflict("Something with the same name or id");
        }
        ErrorKind::ForeignKeyViolation => return StoreError::conflict("Something this refers to"),
        _ => {}
    }
    let code = error.code().unwrap_or_default();
    let message = error.message();
    if code == "22021" {
        return StoreError::Invalid { field: "text", message: "A text holds a character that cannot be stored. Remove invisible characters and try again.".to_owned() };
    }
    // SQLite: the low byte is the primary code; PostgreSQL: the first two letters are the class.
    let primary = code.parse::<i64>().map(|code| code & 0xff);
    match (primary, code.get(..2)) {
        (Ok(5 | 6), _) if code.len() < 5 => locked(message),
        (Ok(7 | 8 | 10 | 13 | 14 | 15 | 23 | 26), _) if code.len() < 5 => {
            StoreError::unavailable(message)
        }
        (Ok(11), _) if code.len() < 5 => StoreError::Unavailable {
            message: format!(
                "The database file is damaged: {message}. Stop Slipway and restore the file from a backup."
            ),
        },
        _ if matches!(code.as_ref(), "40001" | "40P01" | "55P03") => locked(message),
        _ if code == "57014" => StoreError::Unavailable {
            message: format!(
                "The database gave up on it ({message}). Nothing was changed. Try again in a moment, and ask for less at once where that is possible; if it stays so, look what keeps the database busy."
            ),
        },
        (_, Some("08" | "28" | "3D" | "53" | "57" | "58")) => StoreError::unavailable(message),
        _ => StoreError::defect(message),
    }
}

fn locked(message: &str) -> StoreError {
    StoreError::Unavailable {
        message: format!(
            "The database is locked by another process ({message}). Nothing was changed. Try again in a moment; if it stays so, end whatever else has it open."
        ),
    }
}

impl From<sqlx::migrate::MigrateError> for StoreError {
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        use sqlx::migrate::MigrateError as E;
        match error {
            E::Execute(error) => error.into(),
            E::VersionMissing(version) => Self::Unavailable {
                message: format!(
                    "The database was made by a newer Slipway (migration {version} is not known here). Start that version, or restore a backup."
                ),
            },
            E::VersionMismatch(version) | E::Dirty(version) => Self::Unavailable {
                message: format!(
                    "Migration {version} in the database is not the one of this Slipway. Restore a backup and start the version it was made with."
                ),
            },
            error => Self::defect(error),
        }
    }
}
