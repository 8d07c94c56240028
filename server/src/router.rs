//! Which path leads where.

use std::sync::LazyLock;

use app::{App, context::SignedIn, shell};
use axum::{
    Router,
    body::HttpBody as _,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use leptos::{config::LeptosOptions, context::provide_context};
use leptos_axum::{
    AxumRouteListing, LeptosRoutes as _, file_and_error_handler_with_context, generate_route_list,
};
use metrics_exporter_prometheus::PrometheusHandle;
use tower_http::{
    CompressionLevel, compression::CompressionLayer, limit::RequestBodyLimitLayer,
    services::ServeDir,
};

use crate::{
    api,
    auth::{
        self, Visitor,
        session::{self, Sessions},
    },
    observe, origin,
    site::{Site, is_build},
    stream, theme,
};

/// Forms and API requests are small; inventories are the largest that is posted, 10,000 hosts of them with variables.
const LARGEST_BODY: usize = 16 * 1024 * 1024;

/// Every route of the console.
pub fn router(site: Site, metrics: PrometheusHandle) -> Router {
    Router::new()
        .merge(pages(&site))
        .merge(assets(&site.leptos))
        .merge(stream::routes(&site))
        .merge(auth::provider_routes())
        .nest("/api/v1", api::routes(&site))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(move || async move { metrics.render() }))
        // The framework's own limit is lower, and would take a form for an empty one.
        .layer(DefaultBodyLimit::disable())
        .layer(RequestBodyLimitLayer::new(LARGEST_BODY))
        .layer(middleware::map_response(too_large))
        .layer(middleware::from_fn_with_state(
            site.clone(),
            observe::observe,
        ))
        .with_state(site)
}

/// Says what to do about a body that was not read.
async fn too_large(response: Response) -> Response {
    if response.status() != StatusCode::PAYLOAD_TOO_LARGE {
        return response;
    }
    let sentence = format!(
        "What was sent is larger than {} MB, and nothing of it was taken in. Go back in your browser: what you typed is still there. Import a large inventory in parts, or from a project.\n",
        LARGEST_BODY >> 20
    );
    (StatusCode::PAYLOAD_TOO_LARGE, sentence).into_response()
}

/// Says what the layer of sessions leaves unsaid when it cannot keep one.
async fn not_silent(response: Response) -> Response {
    let silent = response.body().size_hint().exact() == Some(0);
    if response.status() != StatusCode::INTERNAL_SERVER_ERROR || !silent {
        return response;
    }
    auth::notice(
        StatusCode::SERVICE_UNAVAILABLE,
        "The database does not answer",
        "What you sent was not done, or its answer was lost. Go back in your browser, where what you typed is still there, and try again in a minute.",
        &[("/", "Open the console")],
    )
}

/// Pages, server functions, signing in: what a browser uses with its session.
/// Learnt once. While routes are learnt, no resource of the whole process loads, and one that would begin then stays
/// pending for ever (leptos#4773): a second router beside a first one would hang the pages that one is drawing.
static ROUTES: LazyLock<Vec<AxumRouteListing>> = LazyLock::new(|| generate_route_list(App));

fn pages(site: &Site) -> Router<Site> {
    let sessions = Sessions {
        console: site.console.clone(),
        seal: site.seal.clone(),
    };
    let console = site.console.clone();
    // Runs once for each request, with the request's parts already in the context.
    let context = move || {
        provide_context(console.clone());
        let visitor = leptos::context::use_context::<axum::http::request::Parts>()
            .and_then(|parts| parts.extensions.get::<Visitor>().cloned());
        let (subject, session) =
            visitor.map_or((None, None), |visitor| (visitor.subject, visitor.session));
        provide_context(SignedIn { subject, session });
    };
    let options = site.leptos.clone();
    Router::new()
        .leptos_routes_with_context(site, ROUTES.clone(), context.clone(), move || {
            shell(options.clone())
        })
        .fallback(file_and_error_handler_with_context::<Site, _>(
            context, shell,
        ))
        .merge(auth::routes())
        .merge(theme::routes())
        .layer(middleware::from_fn_with_state(
            site.clone(),
            origin::same_origin,
        ))
        .layer(middleware::from_fn_with_state(site.clone(), auth::identify))
        .layer(session::layer(sessions))
        .layer(middleware::map_response(not_silent))
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest))
}

/// The browser's files. Each build lies in a folder named by what is in it, so its files never change.
fn assets(options: &LeptosOptions) -> Router<Site> {
    let folder = match options.site_pkg_dir.rsplit_once('/') {
        Some((folder, build)) if is_build(build) => folder,
        _ => &*options.site_pkg_dir,
    };
    let files = ServeDir::new(std::path::Path::new(&*options.site_root).join(folder))
        .precompressed_br()
        .precompressed_gzip();
    Router::new()
        .nest_service(&format!("/{folder}"), files)
        .layer(middleware::from_fn(
            move |request: Request, next: Next| async move {
                let mut folders = request.uri().path().rsplit('/').skip(1);
                let kept = if folders.any(is_build) {
                    "public, max-age=31536000, immutable"
                } else {
                    "no-cache"
                };
                let mut response = next.run(request).await;
                let cache = if response.status().is_success()
                    || response.status() == StatusCode::NOT_MODIFIED
                {
                    kept
                } else {
                    "no-store"
                };
                response
                    .headers_mut()
                    .insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
                response
            },
        ))
}

async fn ready(State(site): State<Site>) -> Response {
    match site.console.ready().await {
        Ok(()) => "ready\n".into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::Request};

    use crate::{
        auth::session::AtProvider,
        testing::{Lab, ask, get, lab, text},
    };

    #[tokio::test]
    async fn strangers_get_nothing_but_pages_and_health() {
        let lab = lab().await;
        let router = lab.router();
        let id = "00000000-0000-7000-8000-000000000001";
        let table = [
            ("/healthz".to_owned(), 200),
            ("/readyz".to_owned(), 200),
            ("/metrics".to_owned(), 200),
            ("/api/v1/openapi.json".to_owned(), 200),
            ("/api/v1/services".to_owned(), 401),
            (format!("/api/v1/rollouts/{id}"), 401),
            ("/api/v1/nothing".to_owned(), 404),
            (format!("/stream/rollouts/{id}"), 401),
            (format!("/stream/jobs/{id}/log"), 401),
            ("/pkg/slipway.wasm".to_owned(), 404),
            ("/pkg/..%2fslipway.db".to_owned(), 404),
            ("/slipway.db/..%2f".to_owned(), 404),
            ("/no/such/page".to_owned(), 404),
            ("/auth/logout".to_owned(), 405),
        ];
        for (path, expected) in table {
            let response = ask(&router, get(&path)).await;
            assert_eq!(response.status(), expected, "{path}");
            assert_eq!(
                response.headers()["x-content-type-options"],
                "nosniff",
                "{path}"
            );
            assert!(response.headers().contains_key("x-request-id"), "{path}");
        }
    }

    #[tokio::test]
    async fn files_of_a_build_are_kept_for_good_and_others_are_asked_for() {
        let lab = lab().await;
        let pkg = std::path::Path::new(&*lab.site.leptos.site_root).join("pkg");
        for (file, content) in [
            ("0123456789abcdef/slipway.js", "now"),
            ("fedcba9876543210/slipway.js", "before"),
            ("slipway.js", "while it is watched"),
            ("current", "0123456789abcdef"),
        ] {
            let path = pkg.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        let mut site = lab.site.clone();
        site.leptos.site_pkg_dir = "pkg/0123456789abcdef".into();
        let router = super::router(
            site,
            metrics_exporter_prometheus::PrometheusBuilder::new()
                .build_recorder()
                .handle(),
        );
        let (kept, asked) = ("public, max-age=31536000, immutable", "no-cache");
        for (path, status, cache) in [
            ("/pkg/0123456789abcdef/slipway.js", 200, kept),
            ("/pkg/fedcba9876543210/slipway.js", 200, kept),
            ("/pkg/slipway.js", 200, asked),
            ("/pkg/current", 200, asked),
            ("/pkg/0123456789abcdef/none.js", 404, "no-store"),
        ] {
            let response = ask(&router, get(path)).await;
            assert_eq!(response.status(), status, "{path}");
            assert_eq!(response.headers()["cache-control"], cache, "{path}");
        }
    }

    #[tokio::test]
    async fn changes_from_elsewhere_are_refused_with_a_sentence() {
        let lab = lab().await;
        let router = lab.router();
        let post = |origin: &str| {
            Request::post("/auth/logout")
                .header("origin", origin)
                .body(Body::empty())
                .unwrap()
        };
        let (status, page) = text(ask(&router, post("https://evil.example")).await).await;
        assert_eq!(status, 403);
        assert!(page.contains("nothing was changed"), "{page}");
        assert_eq!(
            ask(&router, post("http://127.0.0.1:8400")).await.status(),
            200
        );
    }

    #[tokio::test]
    async fn the_api_refuses_as_problem_documents() {
        let lab = lab().await;
        let router = lab.router();
        let wrong = Request::get("/api/v1/jobs")
            .header("authorization", "Bearer slp_wrong")
            .body(Body::empty())
            .unwrap();
        let posted = Request::post("/api/v1/services")
            .body(Body::empty())
            .unwrap();
        for (request, expected) in [(wrong, 401), (posted, 405)] {
            let response = ask(&router, request).await;
            assert_eq!(
                response.headers()["content-type"],
                "application/problem+json"
            );
            let (status, body) = text(response).await;
            let problem: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert_eq!(
                (status.as_u16(), problem["status"].as_u64()),
                (expected, Some(u64::from(expected))),
                "{body}"
            );
        }
    }

    /// The cookie of somebody who has signed in.
    async fn signed_in(lab: &Lab) -> String {
        lab.cookie(lab.somebody().await, AtProvider::default())
            .await
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_the_senders_fault() {
        let lab = lab().await;
        let router = lab.router();
        let cookie = signed_in(&lab).await;
        for (cookie, expected) in [(cookie.as_str(), 422), ("a=b", 401)] {
            let request = Request::post("/api/rollout/approve")
                .header("origin", "http://127.0.0.1:8400")
                .header("content-type", "application/x-www-form-urlencoded")
                .header("cookie", cookie)
                .body(Body::from("input=nonsense"))
                .unwrap();
            assert_eq!(ask(&router, request).await.status(), expected, "{cookie}");
        }
    }

    #[tokio::test]
    async fn a_stranger_leaves_no_form_behind() {
        let lab = lab().await;
        for address in ["/api/rollout/look", "/api/host/look"] {
            let request = Request::post(address)
                .header("origin", "http://127.0.0.1:8400")
                .header("accept", "text/html")
                .header("content-type", "application/x-www-form-urlencoded")
                .body(Body::from("input[version]=1.4.2"))
                .unwrap();
            let response = ask(&lab.router(), request).await;
            assert_eq!(response.status(), 401, "{address}");
            assert!(!response.headers().contains_key("set-cookie"));
        }
    }

    #[tokio::test]
    async fn bodies_have_a_limit() {
        let lab = lab().await;
        let request = Request::post("/auth/logout")
            .header("content-length", "99999999")
            .header("origin", "http://127.0.0.1:8400")
            .body(Body::empty())
            .unwrap();
        let (status, sentence) = text(ask(&lab.router(), request).await).await;
        assert_eq!(status, 413);
        assert!(sentence.contains("larger than 16 MB"), "{sentence}");

        let form = format!("input[inventory]={}", "a%20".repeat(1 << 20));
        let request = Request::post("/api/host/look")
            .header("origin", "http://127.0.0.1:8400")
            .header("accept", "text/html")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("cookie", signed_in(&lab).await)
            .body(Body::from(form))
            .unwrap();
        let response = ask(&lab.router(), request).await;
        assert!(response.status().is_redirection(), "{}", response.status());
        let to = response.headers()["location"].to_str().unwrap();
        assert!(to.ends_with("#import"), "{to}");
    }
}
