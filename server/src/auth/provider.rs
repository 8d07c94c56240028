//! The identity provider: OpenID Connect's code flow with PKCE.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use domain::SignedDuration;

use openidconnect::{
    AccessTokenHash, AuthType, AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret,
    CsrfToken, IssuerUrl, Nonce, OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, Scope, SignatureVerificationError, TokenResponse as _, UserInfoClaims,
    core::{
        CoreAuthenticationFlow, CoreClientAuthMethod, CoreGenderClaim, CoreJsonWebKey,
        CoreJwsSigningAlgorithm,
    },
};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use tokio::sync::RwLock;
use url::Url;

use super::{
    claims::{Claims, Extra, Metadata, ProviderClient, Tokens},
    logout::{self, Heard, LogoutError, SignedOut},
    session::AtProvider,
};
use crate::config::{Oidc, safe_url};

/// Why nobody could be signed in. The sentence is for the person; the cause is in the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    #[error(
        "The identity provider at {issuer} does not answer as it should, so nobody can sign in. Try again in a minute; if it stays so, tell whoever runs Slipway to look at its log."
    )]
    Unreachable { issuer: String },
    #[error(
        "The identity provider did not accept the answer Slipway gave it. Start signing in again; if it stays so, tell whoever runs Slipway to check client_id and client_secret."
    )]
    Exchange,
    #[error(
        "The identity provider's answer cannot be trusted, so you were not signed in. Start signing in again; if it stays so, tell whoever runs Slipway to look at its log."
    )]
    Untrusted,
}

/// What must be remembered between leaving for the provider and coming back.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Pending {
    pub state: String,
    nonce: String,
    verifier: String,
}

#[cfg(test)]
impl Pending {
    pub fn for_test(state: &str) -> Self {
        Self {
            state: state.to_owned(),
            nonce: "nonce".to_owned(),
            verifier: "verifier".to_owned(),
        }
    }
}

/// What an ID token may be signed with: a key that only the provider has.
pub const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];
/// How far the provider's clock may be from ours.
pub const LEEWAY: SignedDuration = SignedDuration::from_secs(60);
/// A token is made for the moment; an older one was kept by somebody.
pub const OLDEST: SignedDuration = SignedDuration::from_mins(10);
/// How often in a minute the provider is asked for its keys because somebody sent a token with another: anybody can.
const ASKED_A_MINUTE: usize = 5;

/// Who the provider says somebody is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub issuer: String,
    pub subject: String,
    pub name: String,
    pub email: String,
    pub email_verified: Option<bool>,
    pub groups: Vec<String>,
    pub at: AtProvider,
}

struct Known {
    client: ProviderClient,
    names_itself: bool,
    keys: Vec<CoreJsonWebKey>,
    /// Where people sign out there, if they can.
    end_session: Option<Url>,
}

/// The identity provider. It is asked about itself when it is first needed, so that Slipway starts without it.
pub struct Provider {
    settings: Oidc,
    issuer: IssuerUrl,
    redirect: RedirectUrl,
    http: reqwest::Client,
    known: RwLock<Option<Arc<Known>>>,
    signed_out: Url,
    asked: Mutex<VecDeque<Instant>>,
    pub heard: Heard,
}

impl Provider {
    /// For the console at this address.
    pub fn new(settings: Oidc, base_url: &Url) -> anyhow::Result<Self> {
        // Following redirects would let the provider, or whoever speaks for it, make Slipway call other addresses.
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(10))
            .build()?;
        Ok(Self {
            issuer: IssuerUrl::new(settings.issuer_text.clone())?,
            redirect: RedirectUrl::from_url(base_url.join(&callback(&settings.name))?),
            signed_out: base_url.join("/auth/signed-out")?,
            asked: Mutex::default(),
            heard: Heard::default(),
            settings,
            http,
            known: RwLock::default(),
        })
    }

    /// Its name in addresses.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// As people choose it.
    pub fn title(&self) -> &str {
        &self.settings.title
    }

    /// Where to send the browser, and what to remember until it comes back.
    pub async fn start(&self) -> Result<(Url, Pending), ProviderError> {
        let known = self.known().await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let (url, state, nonce) = known
            .client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                CsrfToken::new_random,
                Nonce::new_random,
            )
            // The library adds openid itself.
            .add_scopes(
                self.settings
                    .scopes
                    .iter()
                    .filter(|scope| *scope != "openid")
                    .cloned()
                    .map(Scope::new),
            )
            .set_pkce_challenge(challenge)
            .url();
        Ok((
            url,
            Pending {
                state: state.into_secret(),
                nonce: nonce.secret().clone(),
                verifier: verifier.into_secret(),
            },
        ))
    }

    /// Turns the provider's answer into a person. `iss` is what the answer says the provider is called.
    pub async fn finish(
        &self,
        pending: Pending,
        code: String,
        iss: Option<&str>,
    ) -> Result<Identity, ProviderError> {
        let known = self.known().await?;
        match iss {
            Some(iss) if iss != self.issuer.as_str() => {
                return Err(untrusted("the answer comes from another provider", iss));
            }
            None if known.names_itself => {
                return Err(untrusted(
                    "the answer does not name the provider",
                    "it promised to",
                ));
            }
            _ => {}
        }
        let request = known
            .client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|why| self.unreachable(&why))?;
        let tokens = request
            .set_pkce_verifier(PkceCodeVerifier::new(pending.verifier))
            .request_async(&self.http)
            .await
            .map_err(|why| match why {
                openidconnect::RequestTokenError::Request(why) => self.unreachable(&why),
                why => {
                    tracing::warn!(
                        error = &why as &dyn std::error::Error,
                        "the identity provider refused the code"
                    );
                    ProviderError::Exchange
                }
            })?;
        let nonce = Nonce::new(pending.nonce);
        let claims = match verify(&known.client, &tokens, &nonce) {
            Err(ClaimsVerificationError::SignatureVerification(
                SignatureVerificationError::NoMatchingKey,
            )) => {
                // The provider has new keys since it was last asked.
                verify(&self.discover().await?.client, &tokens, &nonce)
            }
            checked => checked,
        };
        let claims = claims.map_err(|why| untrusted("the ID token is not valid", why))?;
        self.party(&claims)?;
        self.identity(&known, &tokens, &claims).await
    }

    /// `azp` names whom the token was made for; a token for several audiences must have it.
    fn party(&self, claims: &Claims) -> Result<(), ProviderError> {
        match claims.authorized_party() {
            Some(party) if party.as_str() != self.settings.client_id => Err(untrusted(
                "the ID token was made for another client",
                party.as_str(),
            )),
            None if claims.audiences().len() > 1 => Err(untrusted(
                "the ID token has several audiences",
                "and does not say for whom it was made",
            )),
            _ => Ok(()),
        }
    }

    /// Many providers keep groups, and some even the name, out of the ID token.
    async fn identity(
        &self,
        known: &Known,
        tokens: &Tokens,
        claims: &Claims,
    ) -> Result<Identity, ProviderError> {
        let mut name = claims
            .name()
            .and_then(|name| name.get(None))
            .map(|name| name.to_string());
        let mut login = claims.preferred_username().map(|login| login.to_string());
        let mut email = claims.email().map(|email| email.to_string());
        let mut email_verified = claims.email_verified();
        let mut groups = claims.additional_claims().groups();
        if (groups.is_none() || name.is_none() || email.is_none())
            && let Ok(request) = known.client.user_info(
                tokens.access_token().clone(),
                Some(claims.subject().clone()),
            )
        {
            let info: UserInfoClaims<Extra, CoreGenderClaim> = request
                .request_async(&self.http)
                .await
                .map_err(|why| self.unreachable(&why))?;
            name = name.or_else(|| {
                info.name()
                    .and_then(|name| name.get(None))
                    .map(|name| name.to_string())
            });
            login = login.or_else(|| info.preferred_username().map(|login| login.to_string()));
            if email.is_none() {
                email = info.email().map(|email| email.to_string());
                email_verified = info.email_verified();
            }
            groups = groups.or_else(|| info.additional_claims().groups());
        }
        let subject = claims.subject().to_string();
        let called = name
            .or(login)
            .or_else(|| email.clone())
            .unwrap_or_else(|| subject.clone());
        Ok(Identity {
            issuer: self.issuer.to_string(),
            subject,
            name: readable(&called),
            email: email.unwrap_or_default(),
            email_verified,
            groups: groups.unwrap_or_default(),
            at: AtProvider {
                provider: self.settings.name.clone(),
                session: claims.additional_claims().sid.clone(),
                id_token: tokens.id_token().map(ToString::to_string),
            },
        })
    }

    /// Where to sign out at the provider; `None` when it has no such place, or does not answer. `id_token` tells it who does.
    pub async fn end_session(&self, id_token: Option<&str>) -> Option<Url> {
        let mut url = self.known().await.ok()?.end_session.clone()?;
        url.query_pairs_mut()
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("post_logout_redirect_uri", self.signed_out.as_str())
            .extend_pairs(id_token.map(|token| ("id_token_hint", token)));
        Some(url)
    }

    /// Whom the provider says to have signed out.
    pub async fn logout_token(&self, token: &str) -> Result<SignedOut, LogoutError> {
        let client = &self.settings.client_id;
        let read = |keys: &[_]| logout::read(token, self.issuer.as_str(), client, keys);
        // What is no token is refused without asking anybody for keys.
        if let Err(why) = read(&[])
            && why != LogoutError::Key
        {
            return Err(why);
        }
        let known = self.known.read().await.clone();
        let out = match known.map(|known| read(&known.keys)) {
            Some(read) if !matches!(read, Err(LogoutError::Key)) => read?,
            // A new key, or nobody asked yet.
            _ => {
                if !self.may_ask() {
                    return Err(LogoutError::NoKeys);
                }
                let known = self.discover().await.map_err(|_| LogoutError::NoKeys)?;
                read(&known.keys)?
            }
        };
        match self.heard.holds(&out.id) {
            true => Err(LogoutError::Replayed),
            false => Ok(out),
        }
    }

    fn may_ask(&self) -> bool {
        let now = Instant::now();
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.retain(|at| now.duration_since(*at) < Duration::from_secs(60));
        let may = asked.len() < ASKED_A_MINUTE;
        if may {
            asked.push_back(now);
        }
        may
    }

    async fn known(&self) -> Result<Arc<Known>, ProviderError> {
        let known = self.known.read().await.clone();
        match known {
            Some(known) => Ok(known),
            None => self.discover().await,
        }
    }

    async fn discover(&self) -> Result<Arc<Known>, ProviderError> {
        let metadata = Metadata::discover_async(self.issuer.clone(), &self.http)
            .await
            .map_err(|why| self.unreachable(&why))?;
        let told = metadata.additional_metadata();
        let names_itself = told.authorization_response_iss_parameter_supported;
        let end_session = told.end_session_endpoint.clone();
        let end_session = end_session.filter(|url| safe_url(url.as_str()).is_ok());
        let keys = metadata.jwks().keys().clone();
        let post_only = metadata
            .token_endpoint_auth_methods_supported()
            .is_some_and(|ways| {
                ways.contains(&CoreClientAuthMethod::ClientSecretPost)
                    && !ways.contains(&CoreClientAuthMethod::ClientSecretBasic)
            });
        let secret = self
            .settings
            .client_secret
            .as_ref()
            .map(|secret| ClientSecret::new(secret.expose_secret().to_owned()));
        let client = ProviderClient::from_provider_metadata(
            metadata,
            ClientId::new(self.settings.client_id.clone()),
            secret,
        )
        .set_redirect_uri(self.redirect.clone())
        .set_auth_type(if post_only {
            AuthType::RequestBody
        } else {
            AuthType::BasicAuth
        });
        let known = Arc::new(Known {
            client,
            names_itself,
            keys,
            end_session,
        });
        *self.known.write().await = Some(Arc::clone(&known));
        Ok(known)
    }

    fn unreachable(&self, why: &(dyn std::error::Error + 'static)) -> ProviderError {
        tracing::warn!(error = why, issuer = %self.settings.issuer, "the identity provider does not answer as it should");
        ProviderError::Unreachable {
            issuer: self.settings.issuer.to_string(),
        }
    }
}

fn untrusted(what: &str, why: impl std::fmt::Display) -> ProviderError {
    tracing::warn!(%why, "sign-in refused: {what}");
    ProviderError::Untrusted
}

/// Signature, issuer, audience, expiry, nonce, and that the access token belongs to it.
fn verify(
    client: &ProviderClient,
    tokens: &Tokens,
    nonce: &Nonce,
) -> Result<Claims, ClaimsVerificationError> {
    let verifier = client
        .id_token_verifier()
        .set_allowed_algs(ALGORITHMS)
        .set_time_fn(|| chrono::Utc::now() - chrono::Duration::seconds(LEEWAY.as_secs()))
        .set_issue_time_verifier_fn(|at| {
            let age = chrono::Utc::now().timestamp() - at.timestamp();
            match (-LEEWAY.as_secs()..=OLDEST.as_secs()).contains(&age) {
                true => Ok(()),
                false => Err(format!("it was made {age} s ago")),
            }
        });
    let token = tokens
        .id_token()
        .ok_or_else(|| ClaimsVerificationError::Other("there is no ID token".to_owned()))?;
    let claims = token.claims(&verifier, nonce)?;
    if let Some(expected) = claims.access_token_hash() {
        let signed = |why| ClaimsVerificationError::SignatureVerification(why);
        let algorithm = token.signing_alg().map_err(signed)?;
        let key = token.signing_key(&verifier).map_err(signed)?;
        let actual = AccessTokenHash::from_token(tokens.access_token(), algorithm, key)
            .map_err(|why| ClaimsVerificationError::Other(why.to_string()))?;
        if actual != *expected {
            return Err(ClaimsVerificationError::Other(
                "the access token belongs to another ID token".to_owned(),
            ));
        }
    }
    Ok(claims.clone())
}

/// Where a provider sends browsers back to. Each has a place of its own, so that no answer is taken for another's.
fn callback(name: &str) -> String {
    match name {
        Oidc::MAIN => "/auth/callback".to_owned(),
        other => format!("/auth/callback/{other}"),
    }
}

/// The providers people may sign in at.
#[derive(Clone)]
pub struct Providers(Arc<[Provider]>);

impl Providers {
    /// For the console at this address; `settings` has one at least.
    pub fn new(settings: Vec<Oidc>, base_url: &Url) -> anyhow::Result<Self> {
        let providers = settings.into_iter();
        let providers = providers.map(|settings| Provider::new(settings, base_url));
        Ok(Self(providers.collect::<anyhow::Result<_>>()?))
    }

    pub fn all(&self) -> &[Provider] {
        &self.0
    }

    pub fn named(&self, name: &str) -> Option<&Provider> {
        self.0.iter().find(|provider| provider.name() == name)
    }
}

/// A name as it may stand in pages and the audit trail.
fn readable(name: &str) -> String {
    let name: String = name.chars().filter(|c| !c.is_control()).take(80).collect();
    name.trim().to_owned()
}
