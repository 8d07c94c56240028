//! Signing in and out.

mod claims;
mod logout;
mod notice;
mod provider;
mod return_to;
pub mod session;

use axum::{
    Extension, Router,
    extract::{DefaultBodyLimit, Path, Query, Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Redirect, Response},
    routing::{get, post},
};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use control::{Clock as _, SignIn};
use domain::{SignedDuration, Timestamp, audit};
use serde::{Deserialize, Serialize};
use tower_sessions::Session;
use url::Url;

pub use notice::notice;
pub use provider::Providers;
use provider::{Pending, Provider, ProviderError};
pub use return_to::return_to;

use crate::{clock::SystemClock, config::Oidc, site::Site};

/// Remembers a sign-in that has begun, sealed, in the browser: whoever is not signed in costs no row.
const LOGIN_COOKIE: &str = "__Host-slipway-login";
const LOGIN_MINUTES: i64 = 15;

pub fn routes() -> Router<Site> {
    Router::new()
        .route("/auth/login", get(login))
        .route("/auth/login/{provider}", get(login_at))
        .route("/auth/callback", get(callback))
        .route("/auth/callback/{provider}", get(callback_of))
        .route("/auth/logout", post(logout::logout))
        .route("/auth/signed-out", get(logout::signed_out))
}

/// What the identity provider itself calls: no browser, so neither a session nor an origin.
pub fn provider_routes() -> Router<Site> {
    Router::new()
        .route("/auth/backchannel-logout", post(logout::news))
        .route("/auth/backchannel-logout/{provider}", post(logout::news_of))
        .layer(DefaultBodyLimit::max(LARGEST_TOKEN))
}

const LARGEST_TOKEN: usize = 64 << 10;

/// Who is looking at the page, and where their session is kept; in the request's extensions.
#[derive(Debug, Clone)]
pub struct Visitor {
    pub subject: Option<policy::Subject>,
    pub session: Option<String>,
}

/// Finds out who is looking, and what they hold now.
pub async fn identify(
    State(site): State<Site>,
    session: Session,
    mut request: Request,
    next: Next,
) -> Response {
    match visitor(&site, &session).await {
        Ok(subject) => {
            let by = by(&request);
            request.extensions_mut().insert(Visitor {
                subject: subject.map(|subject| subject.with_request(by)),
                session: session::place(&session),
            });
            next.run(request).await
        }
        Err(response) => response,
    }
}

/// The request, as the trail knows it.
pub fn by(request: &Request) -> audit::Request {
    let by = request.extensions().get::<audit::Request>();
    by.copied().unwrap_or_default()
}

/// Whoever is signed in here, with what they hold now; nobody where an admin keeps them out.
async fn visitor(site: &Site, session: &Session) -> Result<Option<policy::Subject>, Response> {
    let user = session::current(session, SystemClock.now())
        .await
        .map_err(|why| unavailable(&why))?;
    let Some(user) = user else {
        return Ok(None);
    };
    match site.console.subject(user).await {
        Ok(subject) => Ok(subject),
        Err(why) => {
            tracing::error!(error = %why.message(), "who is signed in cannot be read");
            Err(not_available())
        }
    }
}

fn unavailable(why: &tower_sessions::session::Error) -> Response {
    tracing::error!(
        error = why as &dyn std::error::Error,
        "sessions cannot be read or written"
    );
    not_available()
}

fn not_available() -> Response {
    notice(
        StatusCode::SERVICE_UNAVAILABLE,
        "Slipway is not available",
        "Its database does not answer. Rollouts under way go on by themselves. Try again in a minute.",
        &[("/", "Try again")],
    )
}

#[derive(Debug, Deserialize)]
struct LoginQuery {
    return_to: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Begun {
    /// Name of where.
    provider: String,
    pending: Pending,
    return_to: Url,
    at: Timestamp,
}

/// Signs in at the only provider, or asks at which.
async fn login(
    State(site): State<Site>,
    cookies: CookieJar,
    Query(query): Query<LoginQuery>,
) -> Response {
    if let [only] = site.providers.all() {
        return begin(&site, only, cookies, query).await;
    }
    let back = return_to(&site.base_url, query.return_to.as_deref());
    let back = back.as_str().strip_prefix(site.base_url.as_str());
    let back = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("return_to", &format!("/{}", back.unwrap_or_default()))
        .finish();
    let choices = site.providers.all().iter().map(|provider| {
        let href = format!("/auth/login/{}?{back}", provider.name());
        (href, provider.title().to_owned())
    });
    let choices: Vec<(String, String)> = choices.collect();
    let choices: Vec<(&str, &str)> = choices
        .iter()
        .map(|(href, title)| (href.as_str(), title.as_str()))
        .collect();
    notice(
        StatusCode::OK,
        "Sign in",
        "Choose where you have your account.",
        &choices,
    )
}

async fn login_at(
    State(site): State<Site>,
    cookies: CookieJar,
    Path(provider): Path<String>,
    Query(query): Query<LoginQuery>,
) -> Response {
    match site.providers.named(&provider) {
        Some(provider) => begin(&site, provider, cookies, query).await,
        None => notice(
            StatusCode::NOT_FOUND,
            "There is no such place to sign in",
            "The address names an identity provider that this Slipway does not have.",
            &[("/auth/login", "Sign in")],
        ),
    }
}

async fn begin(
    site: &Site,
    provider: &Provider,
    cookies: CookieJar,
    query: LoginQuery,
) -> Response {
    let back = return_to(&site.base_url, query.return_to.as_deref());
    let (url, pending) = match provider.start().await {
        Ok(started) => started,
        Err(why) => return refused(&why),
    };
    let begun = Begun {
        provider: provider.name().to_owned(),
        pending,
        return_to: back,
        at: SystemClock.now(),
    };
    let sealed = serde_json::to_vec(&begun)
        .ok()
        .and_then(|plain| site.seal.seal(LOGIN_COOKIE, &plain).ok());
    let Some(sealed) = sealed else {
        return refused(&ProviderError::Untrusted);
    };
    (
        cookies.add(login_cookie(sealed)),
        Redirect::to(url.as_str()),
    )
        .into_response()
}

fn login_cookie(value: String) -> Cookie<'static> {
    Cookie::build((LOGIN_COOKIE, value))
        .path("/")
        .secure(true)
        .http_only(true)
        .same_site(SameSite::Lax)
        .max_age(time::Duration::minutes(LOGIN_MINUTES))
        .build()
}

#[derive(Debug, Deserialize)]
struct Answer {
    code: Option<String>,
    state: Option<String>,
    iss: Option<String>,
    error: Option<String>,
}

async fn callback(
    site: State<Site>,
    session: Session,
    cookies: CookieJar,
    headers: HeaderMap,
    by: Extension<audit::Request>,
    answer: Query<Answer>,
) -> Response {
    let main = Path(Oidc::MAIN.to_owned());
    callback_of(site, session, cookies, headers, by, main, answer).await
}

/// The answer of a provider, at the address that only this one knows.
async fn callback_of(
    State(site): State<Site>,
    session: Session,
    cookies: CookieJar,
    headers: HeaderMap,
    Extension(by): Extension<audit::Request>,
    Path(provider): Path<String>,
    Query(answer): Query<Answer>,
) -> Response {
    let begun = cookies
        .get(LOGIN_COOKIE)
        .and_then(|cookie| begun(&site, cookie.value()));
    // Used once, whatever comes of it.
    let cookies = cookies.remove(Cookie::build(LOGIN_COOKIE).path("/").secure(true));
    let response = match begun {
        Some(begun)
            if begun.provider == provider
                && answer.state.as_deref() == Some(begun.pending.state.as_str()) =>
        {
            finish(&site, &session, &headers, by, begun, answer).await
        }
        _ => notice(
            StatusCode::BAD_REQUEST,
            "Signing in was not finished",
            "It took too long, was begun again in another tab, or was not begun in this browser. Nothing was changed.",
            &[("/auth/login", "Sign in")],
        ),
    };
    (cookies, response).into_response()
}

fn begun(site: &Site, sealed: &str) -> Option<Begun> {
    let begun: Begun = serde_json::from_slice(&site.seal.open(LOGIN_COOKIE, sealed).ok()?).ok()?;
    let age = SystemClock.now().duration_since(begun.at);
    (age < SignedDuration::from_mins(LOGIN_MINUTES)).then_some(begun)
}

async fn finish(
    site: &Site,
    session: &Session,
    headers: &HeaderMap,
    by: audit::Request,
    begun: Begun,
    answer: Answer,
) -> Response {
    let code = match (answer.error.as_deref(), answer.code) {
        (None, Some(code)) => code,
        (Some("access_denied"), _) => {
            return notice(
                StatusCode::FORBIDDEN,
                "You were not signed in",
                "The identity provider says that signing in was cancelled or is not allowed for you.",
                &[("/auth/login", "Try again")],
            );
        }
        (error, _) => {
            tracing::warn!(?error, "the identity provider answered with an error");
            return refused(&ProviderError::Exchange);
        }
    };
    let Some(provider) = site.providers.named(&begun.provider) else {
        return refused(&ProviderError::Untrusted);
    };
    let finished = provider.finish(begun.pending, code, answer.iss.as_deref());
    let who = match finished.await {
        Ok(who) => who,
        Err(why) => return refused(&why),
    };
    let sign_in = SignIn {
        issuer: who.issuer,
        subject: who.subject,
        name: who.name,
        email: who.email,
        email_verified: who.email_verified,
        groups: who.groups,
    };
    let subject = match site.console.sign_in(sign_in, by).await {
        Ok(subject) => subject,
        Err(why) => {
            let status =
                StatusCode::from_u16(why.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            return notice(
                status,
                "You were not signed in",
                &why.message(),
                &[("/auth/login", "Try again")],
            );
        }
    };
    if subject.grants.is_empty() {
        let message = format!("{} {}", subject.name, NO_ROLE);
        return notice(
            StatusCode::FORBIDDEN,
            "You hold no role in Slipway yet",
            &message,
            &[("/auth/login", "Sign in as somebody else")],
        );
    }
    if let Err(why) = session::sign_in(session, subject.user, who.at, SystemClock.now()).await {
        return unavailable(&why);
    }
    // Kept now, so that there is a row to describe.
    if let Err(why) = session.save().await {
        return unavailable(&why);
    }
    let address = by.address.map(|address| address.to_string());
    let address = address.unwrap_or_default();
    let agent = headers.get(header::USER_AGENT);
    let agent = agent
        .and_then(|agent| agent.to_str().ok())
        .unwrap_or_default();
    if let Some(place) = session::place(session)
        && let Err(why) = site.console.session_describe(&place, agent, &address).await
    {
        tracing::warn!(error = %why.message(), "a session is not described");
    }
    Redirect::to(begun.return_to.as_str()).into_response()
}

const NO_ROLE: &str = "was recognised by the identity provider, but is in none of the groups that hold a role here. Ask whoever manages your sign-on groups to add you to one, then sign in again.";

fn refused(why: &ProviderError) -> Response {
    let status = match why {
        ProviderError::Unreachable { .. } => StatusCode::SERVICE_UNAVAILABLE,
        ProviderError::Exchange => StatusCode::BAD_GATEWAY,
        ProviderError::Untrusted => StatusCode::FORBIDDEN,
    };
    notice(
        status,
        "You were not signed in",
        &why.to_string(),
        &[("/auth/login", "Try again")],
    )
}

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;
