//! Remembers light or dark in a cookie, for whoever is signed in and whoever is not.

use axum::{
    Form, Router,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse as _, Redirect, Response},
    routing::post,
};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use serde::Deserialize;
use ui::Theme;
use url::Url;

use crate::{auth::return_to, site::Site};

const DAYS: i64 = 365;

pub fn routes() -> Router<Site> {
    Router::new().route("/theme", post(choose))
}

#[derive(Deserialize)]
struct Choice {
    theme: String,
}

/// Sets the cookie and sends back to the page the switch was on.
async fn choose(
    State(site): State<Site>,
    cookies: CookieJar,
    headers: HeaderMap,
    Form(choice): Form<Choice>,
) -> Response {
    let page = headers
        .get(header::REFERER)
        .and_then(|referer| referer.to_str().ok()?.parse::<Url>().ok())
        .filter(|referer| referer.origin() == site.base_url.origin())
        .map(|referer| referer[url::Position::BeforePath..].to_owned());
    let back = return_to(&site.base_url, page.as_deref());
    let cookie = Cookie::build((Theme::COOKIE, Theme::read(&choice.theme).word()))
        .path("/")
        .secure(site.base_url.scheme() == "https")
        .http_only(true)
        .same_site(SameSite::Lax)
        .max_age(time::Duration::days(DAYS));
    (cookies.add(cookie), Redirect::to(back.as_str())).into_response()
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::Request};

    use crate::testing::{ask, lab};

    #[tokio::test]
    async fn the_theme_is_kept_and_the_page_stays_on_this_site() {
        let lab = lab().await;
        let router = lab.router();
        let ours = "http://127.0.0.1:8400";
        let table = [
            (
                "dark",
                Some(format!("{ours}/jobs?q=a")),
                "dark",
                "/jobs?q=a",
            ),
            ("light", None, "light", "/"),
            (
                "light",
                Some("https://evil.example/jobs".to_owned()),
                "light",
                "/",
            ),
            ("<script>", Some("no address".to_owned()), "system", "/"),
        ];
        for (asked, referer, word, path) in table {
            let mut request = Request::post("/theme")
                .header("origin", ours)
                .header("content-type", "application/x-www-form-urlencoded");
            if let Some(referer) = &referer {
                request = request.header("referer", referer);
            }
            let body = format!("theme={}", asked.replace('<', "%3C"));
            let answer = ask(&router, request.body(Body::from(body)).unwrap()).await;
            assert_eq!(answer.status(), 303, "{asked}");
            assert_eq!(
                answer.headers()["location"],
                format!("{ours}{path}"),
                "{referer:?}"
            );
            let cookie = answer.headers()["set-cookie"].to_str().unwrap();
            assert!(
                cookie.starts_with(&format!("slipway-theme={word};")),
                "{cookie}"
            );
        }
    }
}
