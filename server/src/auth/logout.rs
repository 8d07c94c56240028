//! Signing out, here and at the identity provider (OpenID Connect RP-Initiated Logout 1.0 and Back-Channel Logout 1.0).

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use axum::{
    Extension, Form, Json,
    extract::{Path, State, rejection::FormRejection},
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use axum_extra::extract::cookie::{Cookie, CookieJar};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use control::Clock as _;
use domain::{Timestamp, audit};
use openidconnect::{
    JsonWebKey as _, JsonWebKeyAlgorithm, JwsSigningAlgorithm as _,
    core::{CoreJsonWebKey, CoreJsonWebKeyUse, CoreJwsSigningAlgorithm},
};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::{Value, json};
use tower_sessions::Session;

use super::{
    notice,
    provider::{ALGORITHMS, LEEWAY, OLDEST},
    session, unavailable,
};
use crate::{clock::SystemClock, config::Oidc, site::Site};

/// Nobody waits longer for a provider that is away.
const PATIENCE: Duration = Duration::from_secs(3);

/// Ends the session, and tells where it can be ended at the provider, too.
pub async fn logout(State(site): State<Site>, session: Session, cookies: CookieJar) -> Response {
    let provider = session::provider(&session).await.ok().flatten();
    if let Err(why) = session.flush().await {
        return unavailable(&why);
    }
    // The session layer clears the cookie without Secure, which browsers ignore for a __Host- cookie.
    let cookies = cookies.remove(Cookie::build(session::COOKIE).path("/").secure(true));
    let there = match provider {
        Some(provider) => {
            let there = async {
                let known = site.providers.named(&provider.provider)?;
                known.end_session(provider.id_token.as_deref()).await
            };
            tokio::time::timeout(PATIENCE, there).await.ok().flatten()
        }
        None => None,
    };
    let again = ("/auth/login", "Sign in again");
    let page = match &there {
        Some(there) => notice(
            StatusCode::OK,
            SIGNED_OUT,
            &format!(
                "This browser no longer acts for you here. You may still be signed in at {}, and then anybody at this browser can come back without a password.",
                there.host_str().unwrap_or("the identity provider")
            ),
            &[again, (there.as_str(), "Sign out there, too")],
        ),
        None => notice(
            StatusCode::OK,
            SIGNED_OUT,
            "This browser no longer acts for you here. You may still be signed in at the identity provider.",
            &[again],
        ),
    };
    (cookies, page).into_response()
}

const SIGNED_OUT: &str = "You are signed out";

/// Where the provider sends people back to.
pub async fn signed_out() -> Response {
    notice(
        StatusCode::OK,
        SIGNED_OUT,
        "This browser no longer acts for you here.",
        &[("/auth/login", "Sign in again")],
    )
}

/// What the provider posts.
#[derive(Deserialize)]
pub struct News {
    logout_token: String,
}

/// The first provider says that somebody has signed out there.
pub async fn news(
    site: State<Site>,
    by: Extension<audit::Request>,
    news: Result<Form<News>, FormRejection>,
) -> Response {
    news_of(site, by, Path(Oidc::MAIN.to_owned()), news).await
}

/// A provider says that somebody has signed out there.
pub async fn news_of(
    State(site): State<Site>,
    Extension(by): Extension<audit::Request>,
    Path(name): Path<String>,
    news: Result<Form<News>, FormRejection>,
) -> Response {
    let Some(provider) = site.providers.named(&name) else {
        return refusal(StatusCode::NOT_FOUND, "There is no such identity provider.");
    };
    let told = match &news {
        Ok(Form(news)) => provider.logout_token(&news.logout_token).await,
        Err(why) => Err(LogoutError::Unread(why.to_string())),
    };
    let answer = match told {
        Ok(out) => {
            let ended = site.console.signed_out_there(
                &out.issuer,
                out.subject.as_deref(),
                out.session.as_deref(),
                by,
            );
            match ended.await {
                Ok(()) => {
                    provider.heard.keep(out.id, out.expires);
                    StatusCode::OK.into_response()
                }
                Err(why) => refusal(StatusCode::SERVICE_UNAVAILABLE, &why.message()),
            }
        }
        Err(why) => {
            tracing::warn!(%why, "a logout token was refused");
            let status = match why {
                LogoutError::NoKeys => StatusCode::SERVICE_UNAVAILABLE,
                _ => StatusCode::BAD_REQUEST,
            };
            refusal(status, &why.to_string())
        }
    };
    ([(header::CACHE_CONTROL, "no-store")], answer).into_response()
}

fn refusal(status: StatusCode, why: &str) -> Response {
    let error = match status {
        StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND => "invalid_request",
        _ => "temporarily_unavailable",
    };
    let told = json!({ "error": error, "error_description": why });
    (status, Json(told)).into_response()
}

/// Why the provider's word that somebody signed out was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogoutError {
    #[error("The keys of the identity provider cannot be had.")]
    NoKeys,
    #[error("The form cannot be read: {0}")]
    Unread(String),
    #[error("It is no signed token: three parts of base64url, divided by dots.")]
    Form,
    #[error("Its type {0:?} is not that of a logout token.")]
    Type(String),
    #[error("It is signed with {0}, which is not accepted.")]
    Algorithm(String),
    #[error("It asks for an extension that is not known here.")]
    Extension,
    #[error("It is signed with a key that the identity provider does not have.")]
    Key,
    #[error("It does not say with which of several keys it is signed.")]
    Ambiguous,
    #[error("Its signature is wrong.")]
    Signature,
    #[error("Its claims cannot be read: {0}.")]
    Claims(String),
    #[error("It comes from another identity provider.")]
    Issuer,
    #[error("It was made for somebody else.")]
    Audience,
    #[error("It has expired.")]
    Expired,
    #[error("It was not made just now.")]
    Age,
    #[error("It does not say that somebody has signed out.")]
    Event,
    #[error("It has a nonce, so it is an ID token.")]
    Nonce,
    #[error("It names neither a person nor a session.")]
    Nobody,
    #[error("It has no id of its own.")]
    NoId,
    #[error("It was heard before.")]
    Replayed,
}

/// Who has signed out, as the provider says.
#[derive(Debug, PartialEq, Eq)]
pub struct SignedOut {
    pub id: String,
    pub issuer: String,
    pub subject: Option<String>,
    pub session: Option<String>,
    pub expires: Timestamp,
}

#[derive(Deserialize)]
struct Header {
    alg: Value,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<Value>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    #[serde(deserialize_with = "seconds")]
    iat: i64,
    #[serde(deserialize_with = "seconds")]
    exp: i64,
    #[serde(default)]
    jti: String,
    sub: Option<String>,
    sid: Option<String>,
    nonce: Option<Value>,
    #[serde(default)]
    events: BTreeMap<String, Value>,
}

/// A NumericDate, which may have a fraction (RFC 7519, section 2).
fn seconds<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
    f64::deserialize(from).map(|seconds| seconds as i64)
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// Reads a logout token as section 2.6 of Back-Channel Logout says. `keys` are the provider's.
pub fn read(
    token: &str,
    issuer: &str,
    client: &str,
    keys: &[CoreJsonWebKey],
) -> Result<SignedOut, LogoutError> {
    let parts: Vec<&str> = token.split('.').collect();
    let &[head, body, signature] = parts.as_slice() else {
        return Err(LogoutError::Form);
    };
    let header: Header = part(head).map_err(|_| LogoutError::Form)?;
    if let Some(typ) = header.typ
        && !["jwt", "logout+jwt"].contains(&typ.to_lowercase().as_str())
    {
        return Err(LogoutError::Type(typ.chars().take(40).collect()));
    }
    let algorithm: CoreJwsSigningAlgorithm = serde_json::from_value(header.alg.clone())
        .ok()
        .filter(|algorithm| ALGORITHMS.contains(algorithm))
        .ok_or_else(|| LogoutError::Algorithm(header.alg.to_string().chars().take(40).collect()))?;
    if header.crit.is_some() {
        return Err(LogoutError::Extension);
    }
    let signature = URL_SAFE_NO_PAD
        .decode(signature)
        .map_err(|_| LogoutError::Form)?;
    let mut fitting = keys.iter().filter(|key| {
        let named = header.kid.as_deref();
        named.is_none_or(|kid| key.key_id().is_some_and(|id| id.as_str() == kid))
            && algorithm.key_type().as_ref() == Some(key.key_type())
            && key
                .key_use()
                .is_none_or(|usage| *usage == CoreJsonWebKeyUse::Signature)
            && match key.signing_alg() {
                JsonWebKeyAlgorithm::Algorithm(meant) => *meant == algorithm,
                JsonWebKeyAlgorithm::Unspecified => true,
                JsonWebKeyAlgorithm::Unsupported => false,
            }
    });
    let key = fitting.next().ok_or(LogoutError::Key)?;
    if fitting.next().is_some() {
        return Err(LogoutError::Ambiguous);
    }
    key.verify_signature(&algorithm, format!("{head}.{body}").as_bytes(), &signature)
        .map_err(|_| LogoutError::Signature)?;
    let claims: Claims = part(body).map_err(LogoutError::Claims)?;
    checked(claims, issuer, client)
}

fn checked(claims: Claims, issuer: &str, client: &str) -> Result<SignedOut, LogoutError> {
    let now = SystemClock.now().as_second();
    let leeway = LEEWAY.as_secs();
    let for_us = match &claims.aud {
        Audience::One(one) => one == client,
        Audience::Many(many) => many.iter().any(|one| one == client),
    };
    let some = |text: Option<String>| text.filter(|text| !text.is_empty());
    let (subject, session) = (some(claims.sub), some(claims.sid));
    let refusals = [
        (claims.iss != issuer, LogoutError::Issuer),
        (!for_us, LogoutError::Audience),
        (
            claims.exp.saturating_add(leeway) <= now,
            LogoutError::Expired,
        ),
        (
            claims.iat > now.saturating_add(leeway)
                || claims.iat < now.saturating_sub(OLDEST.as_secs()),
            LogoutError::Age,
        ),
        (
            !claims.events.get(EVENT).is_some_and(Value::is_object),
            LogoutError::Event,
        ),
        (claims.nonce.is_some(), LogoutError::Nonce),
        (subject.is_none() && session.is_none(), LogoutError::Nobody),
        (claims.jti.is_empty(), LogoutError::NoId),
    ];
    if let Some((_, why)) = refusals.into_iter().find(|(wrong, _)| *wrong) {
        return Err(why);
    }
    let expires = Timestamp::from_second(claims.exp.saturating_add(leeway));
    Ok(SignedOut {
        id: claims.jti,
        issuer: claims.iss,
        subject,
        session,
        expires: expires.map_err(|_| LogoutError::Expired)?,
    })
}

fn part<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let bytes = URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|error| error.to_string())?;
    serde_json::from_slice(&bytes).map_err(|error| error.to_string())
}

/// Logout tokens that were heard, until they expire, so that nobody who got hold of one signs people out with it.
#[derive(Default)]
pub struct Heard(Mutex<BTreeMap<String, Timestamp>>);

impl Heard {
    /// Bounded by how long a token is good for, and by how many the provider signs in that time.
    fn keep(&self, id: String, expires: Timestamp) {
        let now = SystemClock.now();
        let mut heard = self
            .0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        heard.retain(|_, expires| now < *expires);
        heard.insert(id, expires);
    }

    pub fn holds(&self, id: &str) -> bool {
        let heard = self
            .0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        heard.contains_key(id)
    }
}
