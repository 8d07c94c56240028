//! A provider that lies, and what is refused of it: every defect of an answer, of an ID token and of a logout token that is
//! known to have let somebody in elsewhere.

mod sign_in;
mod sign_out;

use std::sync::{Arc, Mutex};

use axum::{
    Form, Json, Router,
    body::Body,
    extract::State,
    http::{Request, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use control::{Clock as _, SignIn};
use openidconnect::{
    JsonWebKeyId, PrivateSigningKey as _,
    core::{CoreEdDsaPrivateSigningKey, CoreHmacKey, CoreJwsSigningAlgorithm as Algorithm},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;

use super::{
    logout::LogoutError,
    provider::{Identity, Provider, ProviderError, Providers},
    session::AtProvider,
};
use crate::{
    clock::SystemClock,
    config::Oidc,
    testing::{Lab, ask, lab, text},
};

const CLIENT: &str = "slipway";
const SECRET: &str = "a secret that both sides know, as long as a digest is";
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// What the provider answers.
struct Script {
    document: Value,
    /// Seeds and names of the keys it publishes.
    published: Vec<(u8, &'static str)>,
    header: Value,
    sign: Sign,
    claims: Value,
    /// Beside the ID token.
    tokens: Value,
    token_status: StatusCode,
    userinfo: Value,
    /// What comes back with the browser.
    iss: Option<String>,
    /// PKCE: of the sign-in whose code is asked for.
    challenge: String,
}

#[derive(Clone, Copy)]
enum Sign {
    With(u8),
    WithTheSecret,
    Not,
    /// The signature of other claims.
    Elsewhere(u8),
}

type Shared = Arc<Mutex<Script>>;

fn key(seed: u8, name: &str) -> CoreEdDsaPrivateSigningKey {
    // RFC 8410: the head of an Ed25519 key.
    let mut der = vec![
        0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04,
        0x20,
    ];
    der.extend([seed; 32]);
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        STANDARD.encode(der)
    );
    CoreEdDsaPrivateSigningKey::from_ed25519_pem(&pem, Some(JsonWebKeyId::new(name.to_owned())))
        .unwrap()
}

fn token(header: &Value, claims: &Value, sign: Sign) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(header), part(claims));
    let signature = match sign {
        Sign::With(seed) => key(seed, "").sign(&Algorithm::EdDsa, text.as_bytes()),
        Sign::Elsewhere(seed) => key(seed, "").sign(&Algorithm::EdDsa, b"another.token"),
        Sign::WithTheSecret => {
            CoreHmacKey::new(SECRET).sign(&Algorithm::HmacSha256, text.as_bytes())
        }
        Sign::Not => Ok(Vec::new()),
    };
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature.unwrap()))
}

impl Script {
    fn new(issuer: &str) -> Self {
        let now = SystemClock.now().as_second();
        Self {
            document: json!({
                "issuer": issuer,
                "authorization_endpoint": format!("{issuer}/auth"),
                "token_endpoint": format!("{issuer}/token"),
                "userinfo_endpoint": format!("{issuer}/me"),
                "jwks_uri": format!("{issuer}/jwks"),
                "end_session_endpoint": format!("{issuer}/session/end"),
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["EdDSA", "HS256", "none"],
            }),
            published: vec![(1, "one")],
            header: json!({ "alg": "EdDSA", "kid": "one" }),
            sign: Sign::With(1),
            claims: json!({
                "iss": issuer, "aud": CLIENT, "sub": "maria", "iat": now, "exp": now + 300,
                "name": "Maria Member", "email": "maria@example.org", "sid": "there",
            }),
            tokens: json!({ "access_token": "opaque", "token_type": "Bearer" }),
            token_status: StatusCode::OK,
            userinfo: json!({ "sub": "maria", "groups": ["viewers"] }),
            iss: None,
            challenge: String::new(),
        }
    }

    fn keys(&self) -> Value {
        let keys = self.published.iter();
        let keys: Vec<_> = keys
            .map(|(seed, name)| key(*seed, name).as_verification_key())
            .collect();
        json!({ "keys": keys })
    }
}

#[derive(serde::Deserialize)]
struct Asked {
    code_verifier: String,
}

async fn tokens(State(script): State<Shared>, Form(asked): Form<Asked>) -> Response {
    let script = script.lock().unwrap();
    let proof = URL_SAFE_NO_PAD.encode(Sha256::digest(&asked.code_verifier));
    if proof != script.challenge {
        return (
            StatusCode::BAD_REQUEST,
            Json(json!({ "error": "invalid_grant" })),
        )
            .into_response();
    }
    let mut answer = script.tokens.clone();
    if answer.get("id_token").is_none() {
        answer["id_token"] = token(&script.header, &script.claims, script.sign).into();
    }
    let location = [(header::LOCATION, "/elsewhere")];
    (script.token_status, location, Json(answer)).into_response()
}

struct Hostile {
    issuer: String,
    script: Shared,
    provider: Provider,
}

impl Hostile {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let script = Arc::new(Mutex::new(Script::new(&issuer)));
        let read = |what: fn(&Script) -> Value| {
            get(async move |State(script): State<Shared>| Json(what(&script.lock().unwrap())))
        };
        let router = Router::new()
            .route(
                "/.well-known/openid-configuration",
                read(|script| script.document.clone()),
            )
            .route("/jwks", read(Script::keys))
            .route("/me", read(|script| script.userinfo.clone()))
            .route("/token", post(tokens))
            .with_state(Arc::clone(&script));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let provider = provider(&issuer);
        Self {
            issuer,
            script,
            provider,
        }
    }

    fn change(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.script.lock().unwrap());
    }

    /// A sign-in from its beginning, with what is changed once the provider knows of it.
    async fn sign_in(&self, change: fn(&mut Script)) -> Result<Identity, ProviderError> {
        self.change(|script| {
            let nonce = Value::String("of nobody".to_owned());
            script.claims["nonce"] = nonce;
        });
        let (url, pending) = self.provider.start().await?;
        let asked = |name: &str| -> String {
            let found = url.query_pairs().find(|(key, _)| key == name);
            found
                .unwrap_or_else(|| panic!("{name} is not in {url}"))
                .1
                .into_owned()
        };
        assert_eq!(asked("code_challenge_method"), "S256");
        assert!(
            asked("state").len() >= 16 && asked("nonce").len() >= 16,
            "{url}"
        );
        self.change(|script| {
            script.claims["nonce"] = asked("nonce").into();
            script.challenge = asked("code_challenge");
            change(script);
        });
        let iss = self.script.lock().unwrap().iss.clone();
        self.provider
            .finish(pending, "code".to_owned(), iss.as_deref())
            .await
    }
}

fn settings(name: &str, issuer: &str) -> Oidc {
    Oidc {
        name: name.to_owned(),
        title: format!("The place {name}"),
        issuer: issuer.parse().unwrap(),
        issuer_text: issuer.to_owned(),
        client_id: CLIENT.to_owned(),
        client_secret: Some(SECRET.into()),
        scopes: vec!["openid".to_owned()],
    }
}

fn base_url() -> Url {
    "http://127.0.0.1:8400".parse().unwrap()
}

fn provider(issuer: &str) -> Provider {
    Provider::new(settings(Oidc::MAIN, issuer), &base_url()).unwrap()
}

fn without(name: &str, of: &mut Value) {
    of.as_object_mut().unwrap().remove(name).unwrap();
}

fn now() -> i64 {
    SystemClock.now().as_second()
}
