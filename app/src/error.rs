//! The error of every server function.

use leptos::server_fn::error::{FromServerFnError, ServerFnErrorErr};
use serde::{Deserialize, Serialize};
use view::error::ApiError;

use crate::wire::WireEncoding;

/// An [`ApiError`] that server functions can carry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PageError(pub ApiError);

impl From<ApiError> for PageError {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl std::fmt::Display for PageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for PageError {}

impl FromServerFnError for PageError {
    type Encoder = WireEncoding;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        Self(match error {
            ServerFnErrorErr::Request(_) => ApiError::Unavailable { message: "Slipway cannot be reached. Check your connection and try again; nothing was changed.".to_owned() },
            ServerFnErrorErr::Args(_)
            | ServerFnErrorErr::MissingArg(_)
            | ServerFnErrorErr::Deserialization(_) => return incomplete(),
            other => ApiError::Internal { request_id: other.to_string() },
        })
    }
}

/// What was sent cannot be read. No server function gets to run, so whether anybody is signed in and the status of the
/// response are seen to here.
fn incomplete() -> PageError {
    let error = ApiError::Invalid {
        field: String::new(),
        message: "The form was incomplete. Reload the page and fill it in again.".to_owned(),
    };
    #[cfg(feature = "ssr")]
    return crate::context::ctx().map_or_else(|nobody| nobody, |_| crate::context::fail(error));
    #[cfg(not(feature = "ssr"))]
    PageError(error)
}
