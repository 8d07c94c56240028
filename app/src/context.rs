//! What every server function starts from.

use control::{Console, Ctx};
use leptos::prelude::*;
use leptos_axum::ResponseOptions;
use policy::Subject;
use view::error::ApiError;

use crate::error::PageError;

/// Who is signed in, as the router found out; `None` is nobody.
#[derive(Clone)]
pub struct SignedIn {
    pub subject: Option<Subject>,
    /// Where the session is kept, which is what it is ended by.
    pub session: Option<String>,
}

/// The use cases on behalf of whoever is signed in.
pub fn ctx() -> Result<Ctx, PageError> {
    let console = expect_console()?;
    match use_context::<SignedIn>() {
        Some(SignedIn {
            subject: Some(subject),
            ..
        }) => Ok(console.ctx(subject)),
        _ => Err(fail(ApiError::Unauthenticated)),
    }
}

/// Where the session of this request is kept.
pub fn session() -> Option<String> {
    use_context::<SignedIn>().and_then(|signed_in| signed_in.session)
}

/// The console the router provided.
pub fn expect_console() -> Result<Console, PageError> {
    use_context::<Console>().ok_or_else(|| {
        PageError(ApiError::Internal {
            request_id: "no console in the request's context".to_owned(),
        })
    })
}

/// Gives the response the status of the error.
pub fn fail(error: ApiError) -> PageError {
    if let Some(response) = use_context::<ResponseOptions>()
        && let Ok(status) = axum::http::StatusCode::from_u16(error.status())
    {
        response.set_status(status);
    }
    PageError(error)
}

/// An answer of `control`, as a server function gives it.
pub fn answer<T>(result: Result<T, ApiError>) -> Result<T, PageError> {
    result.map_err(fail)
}
