//! The one error that pages and the API show. Internals are logged, never sent.

use serde::{Deserialize, Serialize};

/// Why a request was not served, as a person reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum ApiError {
    /// Nobody is signed in.
    Unauthenticated,
    /// The permission is missing; the message names the missing grant.
    Forbidden { message: String },
    /// It does not exist, or must not be seen.
    NotFound { message: String },
    /// Somebody or something else changed it first, or its state does not allow it.
    Conflict { message: String },
    /// A field was refused.
    Invalid { field: String, message: String },
    /// A tool or the database does not answer.
    Unavailable { message: String },
    /// A defect; the log has more under this id.
    Internal { request_id: String },
}

impl ApiError {
    /// The headline of the panel or page that shows it.
    pub const fn title(&self) -> &'static str {
        match self {
            Self::Unauthenticated => "Sign in to go on",
            Self::Forbidden { .. } => "You may not do this",
            Self::NotFound { .. } => "Not found",
            Self::Conflict { .. } => "This cannot be done now",
            Self::Invalid { .. } => "This was not accepted",
            Self::Unavailable { .. } => "Not available just now",
            Self::Internal { .. } => "Something went wrong",
        }
    }

    /// The sentence for a person.
    pub fn message(&self) -> String {
        match self {
            Self::Unauthenticated => {
                "You are not signed in, or your session has ended. Sign in and try again."
                    .to_owned()
            }
            Self::Forbidden { message }
            | Self::NotFound { message }
            | Self::Conflict { message }
            | Self::Invalid { message, .. }
            | Self::Unavailable { message } => message.clone(),
            Self::Internal { request_id } => format!(
                "Something went wrong in Slipway itself. Nothing was changed. Report it with the id {request_id}."
            ),
        }
    }

    /// HTTP status code.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Unauthenticated => 401,
            Self::Forbidden { .. } => 403,
            Self::NotFound { .. } => 404,
            Self::Conflict { .. } => 409,
            Self::Invalid { .. } => 422,
            Self::Unavailable { .. } => 503,
            Self::Internal { .. } => 500,
        }
    }

    /// The refused form field, if one was.
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::Invalid { field, .. } => Some(field),
            _ => None,
        }
    }
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message())
    }
}

impl std::error::Error for ApiError {}
