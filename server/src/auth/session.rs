//! Sessions: rows in the database, found by the hash of the cookie and sealed, so that neither a reader nor a writer
//! of the database can act as somebody.

use async_trait::async_trait;
use control::{Console, Seal};
use domain::{SignedDuration, Timestamp, id::UserId};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tower_sessions::{
    Expiry, Session, SessionManagerLayer, SessionStore,
    cookie::SameSite,
    session::{Id, Record},
    session_store::{Error, Result},
};
use view::error::ApiError;

use crate::config::Oidc;

pub const COOKIE: &str = "__Host-slipway";

const IDLE_HOURS: i64 = 8;
const ABSOLUTE_HOURS: i64 = 24;
/// A session in use is written again this often, not with every request.
const TOUCH_MINUTES: i64 = 5;
const KEY: &str = "person";

/// Who is signed in, and since when; nothing of what they may do, which is asked with each request.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct SignedIn {
    user: UserId,
    since: Timestamp,
    seen: Timestamp,
    #[serde(default)]
    at: AtProvider,
}

fn main() -> String {
    Oidc::MAIN.to_owned()
}

/// What is left of a sign-in at the identity provider, to end it there, or when it is ended there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AtProvider {
    /// Our name for it.
    #[serde(default = "main")]
    pub provider: String,
    /// Its name for the session there (`sid`).
    pub session: Option<String>,
    pub id_token: Option<String>,
}

/// What the middleware and handlers do with a session.
pub async fn sign_in(
    session: &Session,
    user: UserId,
    at: AtProvider,
    now: Timestamp,
) -> std::result::Result<(), tower_sessions::session::Error> {
    // Whatever was in the browser before belongs to somebody else, and its id may be known to somebody else.
    session.clear().await;
    session.cycle_id().await?;
    session
        .insert(
            KEY,
            SignedIn {
                user,
                since: now,
                seen: now,
                at,
            },
        )
        .await
}

/// Who is signed in; keeps the session alive, and ends it when it is too old.
pub async fn current(
    session: &Session,
    now: Timestamp,
) -> std::result::Result<Option<UserId>, tower_sessions::session::Error> {
    if session.id().is_none() {
        return Ok(None);
    }
    let Some(signed_in) = session.get::<SignedIn>(KEY).await? else {
        return Ok(None);
    };
    if now.duration_since(signed_in.since) >= SignedDuration::from_hours(ABSOLUTE_HOURS) {
        session.flush().await?;
        return Ok(None);
    }
    if now.duration_since(signed_in.seen) >= SignedDuration::from_mins(TOUCH_MINUTES) {
        session
            .insert(
                KEY,
                SignedIn {
                    seen: now,
                    ..signed_in.clone()
                },
            )
            .await?;
    }
    Ok(Some(signed_in.user))
}

/// Where whoever is signed in has signed in.
pub async fn provider(
    session: &Session,
) -> std::result::Result<Option<AtProvider>, tower_sessions::session::Error> {
    let signed_in = session.get::<SignedIn>(KEY).await?;
    Ok(signed_in.map(|signed_in| signed_in.at))
}

/// The session cookie and where sessions are kept.
pub fn layer(store: Sessions) -> SessionManagerLayer<Sessions> {
    SessionManagerLayer::new(store)
        .with_name(COOKIE)
        .with_path("/")
        .with_secure(true)
        .with_http_only(true)
        // Strict would look signed out after the provider's redirect and after links from chat and mail.
        .with_same_site(SameSite::Lax)
        .with_expiry(Expiry::OnInactivity(time::Duration::hours(IDLE_HOURS)))
}

/// Sessions in the console's database.
#[derive(Clone)]
pub struct Sessions {
    pub console: Console,
    pub seal: Seal,
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sessions")
    }
}

/// Where the session is kept, which is also what it is ended by.
pub fn place(session: &Session) -> Option<String> {
    session.id().map(|id| hash(&id))
}

pub(super) fn hash(id: &Id) -> String {
    Sha256::digest(id.0.to_le_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn backend(error: ApiError) -> Error {
    Error::Backend(error.message())
}

fn signed_in(record: &Record) -> Option<SignedIn> {
    serde_json::from_value(record.data.get(KEY)?.clone()).ok()
}

/// A session as it is kept.
struct Kept {
    place: String,
    sealed: String,
    user: Option<UserId>,
    /// At the identity provider; empty where it has no name there.
    there: String,
    expires: Timestamp,
}

impl Sessions {
    fn kept(&self, record: &Record) -> Result<Kept> {
        let place = hash(&record.id);
        let plain = serde_json::to_vec(record).map_err(|why| Error::Encode(why.to_string()))?;
        let sealed = self
            .seal
            .seal(&place, &plain)
            .map_err(|why| Error::Encode(why.to_string()))?;
        let expires = Timestamp::from_second(record.expiry_date.unix_timestamp())
            .map_err(|why| Error::Encode(why.to_string()))?;
        let signed_in = signed_in(record);
        Ok(Kept {
            place,
            sealed,
            user: signed_in.as_ref().map(|signed_in| signed_in.user),
            there: signed_in
                .and_then(|signed_in| signed_in.at.session)
                .unwrap_or_default(),
            expires,
        })
    }
}

#[async_trait]
impl SessionStore for Sessions {
    async fn create(&self, record: &mut Record) -> Result<()> {
        let kept = self.kept(record)?;
        self.console
            .session_insert(
                &kept.place,
                &kept.sealed,
                kept.user,
                &kept.there,
                kept.expires,
            )
            .await
            .map_err(backend)
    }

    /// A request that began before somebody signed out must not bring the session back.
    async fn save(&self, record: &Record) -> Result<()> {
        let kept = self.kept(record)?;
        self.console
            .session_update(&kept.place, &kept.sealed, kept.user, kept.expires)
            .await
            .map_err(backend)
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let place = hash(id);
        let Some(sealed) = self.console.session_load(&place).await.map_err(backend)? else {
            return Ok(None);
        };
        // Sealed with another key, or changed: as good as no session.
        let Ok(plain) = self.seal.open(&place, &sealed) else {
            tracing::warn!("a session does not open with the present secret_key and is ignored");
            return Ok(None);
        };
        serde_json::from_slice(&plain)
            .map(Some)
            .map_err(|why| Error::Decode(why.to_string()))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        self.console
            .session_delete(&hash(id))
            .await
            .map_err(backend)
    }
}
