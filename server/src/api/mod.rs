//! The REST API, version 1: a contract of its own, so that pages may change without it.

mod convert;
mod problem;
mod routes;
pub mod shape;

use axum::{
    Json, Router,
    extract::{FromRequestParts, Query, Request, State},
    http::{HeaderMap, header, request::Parts},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::get,
};
use serde::de::DeserializeOwned;
use utoipa::{
    Modify, OpenApi,
    openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};
use utoipa_axum::router::OpenApiRouter;
use view::error::ApiError;

pub use problem::Problem;

use crate::{auth::by, site::Site};

#[derive(OpenApi)]
#[openapi(
    info(title = "Slipway", version = "1", description = "Services, inventories, rollouts and jobs. Authenticate with a token made by `slipway token create`.", license(name = "Apache-2.0", identifier = "Apache-2.0")),
    servers((url = "/api/v1")),
    security(("token" = [])),
    modifiers(&TokenScheme),
    components(schemas(shape::ProblemBody))
)]
struct Description;

struct TokenScheme;

impl Modify for TokenScheme {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("slp_…")
            .build();
        openapi
            .components
            .get_or_insert_default()
            .add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

/// The routes below `/api/v1`. Sessions do not count here, so no other site can use one.
pub fn routes(site: &Site) -> Router<Site> {
    let (router, description) = described();
    router
        .route_layer(middleware::from_fn_with_state(site.clone(), authenticate))
        .route("/openapi.json", get(move || async move { Json(description) }))
        .fallback(|| async { Problem(ApiError::NotFound { message: "There is no such address in the API. /api/v1/openapi.json lists those there are.".to_owned() }) })
        .method_not_allowed_fallback(|| async { Problem::method() })
}

fn described() -> (Router<Site>, utoipa::openapi::OpenApi) {
    OpenApiRouter::with_openapi(Description::openapi())
        .merge(routes::all())
        .split_for_parts()
}

/// Method and path of every operation.
#[cfg(test)]
pub fn operations() -> Vec<String> {
    let paths = described().1.paths.paths;
    let of = |(path, item): (String, utoipa::openapi::PathItem)| {
        let methods = [
            ("GET", item.get),
            ("POST", item.post),
            ("PUT", item.put),
            ("PATCH", item.patch),
            ("DELETE", item.delete),
        ];
        let there = methods
            .into_iter()
            .filter(|(_, operation)| operation.is_some());
        there.map(move |(method, _)| format!("{method} /api/v1{path}"))
    };
    paths.into_iter().flat_map(of).collect()
}

/// The token of an `Authorization: Bearer` header.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(token.trim())
}

async fn authenticate(State(site): State<Site>, mut request: Request, next: Next) -> Response {
    let Some(token) = bearer(request.headers()) else {
        return Problem(ApiError::Unauthenticated).into_response();
    };
    match site.console.subject_of_token(token).await {
        Ok(Some(subject)) => {
            let subject = subject.with_request(by(&request));
            request.extensions_mut().insert(site.console.ctx(subject));
            next.run(request).await
        }
        Ok(None) => Problem(ApiError::Unauthenticated).into_response(),
        Err(why) => Problem(why).into_response(),
    }
}

/// Query parameters, refused as a problem.
pub struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(params)) => Ok(Self(params)),
            Err(why) => Err(Problem(ApiError::Invalid {
                field: "query".to_owned(),
                message: format!("The query cannot be read: {}.", why.body_text()),
            })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_from_bearer_headers_only() {
        let table = [
            ("Bearer slp_x", Some("slp_x")),
            ("bearer  slp_x ", Some("slp_x")),
            ("Basic slp_x", None),
            ("slp_x", None),
            ("", None),
        ];
        for (value, token) in table {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            assert_eq!(bearer(&headers), token, "{value}");
        }
    }

    #[test]
    fn every_address_is_described_with_its_refusals() {
        let (_, description) = described();
        let text = serde_json::to_value(&description).unwrap();
        let paths = text["paths"].as_object().unwrap();
        let mut names: Vec<_> = paths.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            [
                "/access/explain",
                "/environments/{slug}/hosts",
                "/environments/{slug}/inventory/diff",
                "/jobs",
                "/jobs/{id}",
                "/jobs/{id}/cancel",
                "/jobs/{id}/log",
                "/rollouts",
                "/rollouts/{id}",
                "/rollouts/{id}/hosts",
                "/services",
                "/services/{slug}"
            ]
        );
        for (path, methods) in paths {
            for (method, operation) in methods.as_object().unwrap() {
                let responses = operation["responses"].as_object().unwrap();
                assert!(
                    responses.contains_key("default"),
                    "{method} {path} does not describe its refusals"
                );
                assert!(responses.len() > 1, "{method} {path}");
            }
        }
        assert_eq!(
            text["components"]["securitySchemes"]["token"]["scheme"],
            "bearer"
        );
    }
}
