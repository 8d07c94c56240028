//! Errors as RFC 9457 problem documents.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use view::error::ApiError;

use super::shape::ProblemBody;

/// A refusal or failure of the API.
#[derive(Debug)]
pub struct Problem(pub ApiError);

impl Problem {
    /// The id in the address is none, so there is nothing under it.
    pub fn unknown(why: impl std::fmt::Display) -> Self {
        Self(ApiError::NotFound {
            message: why.to_string(),
        })
    }

    /// The address is right, the method is not.
    pub fn method() -> Response {
        let detail =
            "This address does not take that method. /api/v1/openapi.json lists what it takes.";
        document(
            StatusCode::METHOD_NOT_ALLOWED,
            detail.to_owned(),
            None,
            None,
        )
    }
}

impl From<ApiError> for Problem {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self(error) = self;
        let status =
            StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let detail = match &error {
            ApiError::Unauthenticated => "Send the header “Authorization: Bearer …” with a token made by `slipway token create` that has not expired.".to_owned(),
            error => error.message(),
        };
        let request_id = match &error {
            ApiError::Internal { request_id } => Some(request_id.clone()),
            _ => None,
        };
        let mut response = document(status, detail, error.field().map(str::to_owned), request_id);
        if status == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

fn document(
    status: StatusCode,
    detail: String,
    field: Option<String>,
    request_id: Option<String>,
) -> Response {
    let body = ProblemBody {
        kind: "about:blank".to_owned(),
        title: status.canonical_reason().unwrap_or_default().to_owned(),
        status: status.as_u16(),
        detail,
        field,
        request_id,
    };
    let mut response = (status, Json(body)).into_response();
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_carry_status_and_type() {
        let refusal = Problem(ApiError::Forbidden {
            message: "No.".to_owned(),
        })
        .into_response();
        assert_eq!(refusal.status(), 403);
        assert_eq!(
            refusal.headers()[header::CONTENT_TYPE],
            "application/problem+json"
        );
        let nobody = Problem(ApiError::Unauthenticated).into_response();
        assert_eq!(nobody.status(), 401);
        assert_eq!(nobody.headers()[header::WWW_AUTHENTICATE], "Bearer");
    }
}
