//! Changes come from the console's own pages only: a browser sends the session cookie wherever a request starts.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    middleware::Next,
    response::Response,
};
use url::Url;

use crate::{auth::notice, site::Site};

/// Refuses what may change something unless it was started from the console's own pages.
pub async fn same_origin(State(site): State<Site>, request: Request, next: Next) -> Response {
    if allowed(request.method(), request.headers(), &site.base_url) {
        return next.run(request).await;
    }
    tracing::warn!(method = %request.method(), path = request.uri().path(), origin = ?request.headers().get(header::ORIGIN), "a change from outside the console was refused");
    let home = site.base_url.as_str();
    let message = format!(
        "The request did not come from a page of this console, so nothing was changed. Open {home} and do it there."
    );
    notice(
        StatusCode::FORBIDDEN,
        "Refused",
        &message,
        &[("/", "Open the console")],
    )
}

fn allowed(method: &Method, headers: &HeaderMap, base_url: &Url) -> bool {
    if method == Method::GET || method == Method::HEAD {
        return true;
    }
    let fetched = headers.get("sec-fetch-site").map(|site| site.as_bytes());
    let ours = base_url.origin().ascii_serialization();
    let mut origins = headers.get_all(header::ORIGIN).iter();
    match (origins.next(), origins.next()) {
        (Some(origin), None) => {
            origin.as_bytes() == ours.as_bytes()
                && fetched.is_none_or(|site| site == b"same-origin")
        }
        (None, _) => matches!(fetched, Some(b"same-origin" | b"none")),
        (Some(_), Some(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_pages_change_anything() {
        let base: Url = "https://slipway.example.com".parse().unwrap();
        let ours = Some("https://slipway.example.com");
        let table = [
            ("GET", None, None, true),
            (
                "GET",
                Some("https://evil.example"),
                Some("cross-site"),
                true,
            ),
            ("HEAD", None, None, true),
            ("POST", ours, None, true),
            ("POST", ours, Some("same-origin"), true),
            ("POST", None, Some("same-origin"), true),
            ("POST", None, Some("none"), true),
            ("POST", None, None, false),
            ("POST", None, Some("cross-site"), false),
            ("POST", None, Some("same-site"), false),
            ("POST", Some("null"), None, false),
            ("POST", Some("https://evil.example"), None, false),
            (
                "POST",
                Some("https://evil.example"),
                Some("same-origin"),
                false,
            ),
            ("POST", ours, Some("cross-site"), false),
            ("POST", Some("http://slipway.example.com"), None, false),
            (
                "POST",
                Some("https://slipway.example.com:8443"),
                None,
                false,
            ),
            (
                "POST",
                Some("https://slipway.example.com.evil.example"),
                None,
                false,
            ),
            (
                "POST",
                Some("https://other.example.com"),
                Some("same-site"),
                false,
            ),
            ("PUT", None, None, false),
            ("PATCH", None, None, false),
            ("DELETE", None, None, false),
            ("OPTIONS", Some("https://evil.example"), None, false),
        ];
        for (method, origin, fetched, expected) in table {
            let mut headers = HeaderMap::new();
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().unwrap());
            }
            if let Some(fetched) = fetched {
                headers.insert("sec-fetch-site", fetched.parse().unwrap());
            }
            assert_eq!(
                allowed(&method.parse().unwrap(), &headers, &base),
                expected,
                "{method} {origin:?} {fetched:?}"
            );
        }
    }

    #[test]
    fn two_origins_are_none() {
        let mut headers = HeaderMap::new();
        headers.append(
            header::ORIGIN,
            "https://slipway.example.com".parse().unwrap(),
        );
        headers.append(header::ORIGIN, "https://evil.example".parse().unwrap());
        assert!(!allowed(
            &Method::POST,
            &headers,
            &"https://slipway.example.com".parse().unwrap()
        ));
    }
}
