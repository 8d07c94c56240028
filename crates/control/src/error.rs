//! What can go wrong on the way, and what of it a person is told.

use domain::{
    change_request::ChangeRequestRefused, plan::DigestError, rollout::Refused, text::FieldError,
};
use policy::Denied;
use store::StoreError;
use view::error::ApiError;

/// What can go wrong in a use case.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Field(#[from] FieldError),
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error(transparent)]
    ChangeRequest(#[from] ChangeRequestRefused),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Digest(#[from] DigestError),
    #[error("{0}")]
    Conflict(String),
    #[error("{0}")]
    NotFound(String),
    #[error("{0}")]
    Unavailable(String),
    #[error("{0}")]
    Internal(String),
}

impl Error {
    /// What a person is told; `request_id` finds the rest in the log.
    pub fn into_api(self, request_id: impl FnOnce() -> String) -> ApiError {
        let message = self.to_string();
        match self {
            Self::Denied(_) => ApiError::Forbidden { message },
            Self::Field(FieldError { field, message }) => ApiError::Invalid { field, message },
            Self::ChangeRequest(ChangeRequestRefused::OwnRequest) => {
                ApiError::Forbidden { message }
            }
            Self::Refused(_) | Self::ChangeRequest(_) | Self::Conflict(_) => {
                ApiError::Conflict { message }
            }
            Self::NotFound(_) => ApiError::NotFound { message },
            Self::Unavailable(_) => ApiError::Unavailable { message },
            Self::Store(
                StoreError::Conflict { .. }
                | StoreError::Reserved { .. }
                | StoreError::Superseded { .. }
                | StoreError::KeyTaken { .. }
                | StoreError::AlreadyRequested { .. },
            ) => ApiError::Conflict { message },
            Self::Store(StoreError::NotFound { .. }) => ApiError::NotFound { message },
            Self::Store(
                StoreError::Duplicate { field, message } | StoreError::Invalid { field, message },
            ) => ApiError::Invalid {
                field: field.to_string(),
                message,
            },
            Self::Store(StoreError::Unavailable { .. }) => ApiError::Unavailable { message },
            Self::Store(_) | Self::Digest(_) | Self::Internal(_) => {
                let request_id = request_id();
                tracing::error!(%request_id, error = %message, "a use case failed");
                ApiError::Internal { request_id }
            }
        }
    }
}

/// The complaint of another room, about this field.
pub(crate) fn invalid<E: std::fmt::Display>(field: &'static str) -> impl Fn(E) -> FieldError {
    move |error| FieldError::new(field, error.to_string())
}
