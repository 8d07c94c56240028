//! Logout tokens, and sessions that end by them.

use domain::audit;

use super::*;

fn logout_claims(issuer: &str) -> Value {
    json!({
        "iss": issuer, "aud": CLIENT, "iat": now(), "exp": now() + 120, "jti": format!("{}", uuid::Uuid::now_v7()),
        "sub": "maria", "sid": "there", "events": { EVENT: {} },
    })
}

#[tokio::test]
async fn every_defect_of_a_logout_token_is_refused() {
    type Case = (
        &'static str,
        fn(&mut Value, &mut Value, &mut Sign),
        LogoutError,
    );
    let cases: &[Case] = &[
        (
            "another issuer",
            |_, c, _| c["iss"] = "https://login.example.org".into(),
            LogoutError::Issuer,
        ),
        (
            "another audience",
            |_, c, _| c["aud"] = "grafana".into(),
            LogoutError::Audience,
        ),
        (
            "nobody's audience",
            |_, c, _| c["aud"] = json!([]),
            LogoutError::Audience,
        ),
        (
            "expired",
            |_, c, _| c["exp"] = (now() - 61).into(),
            LogoutError::Expired,
        ),
        (
            "made in the future",
            |_, c, _| c["iat"] = (now() + 90).into(),
            LogoutError::Age,
        ),
        (
            "made long ago",
            |_, c, _| c["iat"] = (now() - 700).into(),
            LogoutError::Age,
        ),
        (
            "a nonce, as an ID token has",
            |_, c, _| c["nonce"] = "n".into(),
            LogoutError::Nonce,
        ),
        (
            "no event",
            |_, c, _| without("events", c),
            LogoutError::Event,
        ),
        (
            "another event",
            |_, c, _| c["events"] = json!({ "https://example.org/joined": {} }),
            LogoutError::Event,
        ),
        (
            "an event that is no object",
            |_, c, _| c["events"] = json!({ EVENT: true }),
            LogoutError::Event,
        ),
        (
            "neither person nor session",
            |_, c, _| {
                without("sub", c);
                without("sid", c);
            },
            LogoutError::Nobody,
        ),
        (
            "an empty person",
            |_, c, _| {
                c["sub"] = "".into();
                without("sid", c);
            },
            LogoutError::Nobody,
        ),
        ("no id", |_, c, _| without("jti", c), LogoutError::NoId),
        (
            "alg none",
            |h, _, s| {
                h["alg"] = "none".into();
                *s = Sign::Not;
            },
            LogoutError::Algorithm("\"none\"".to_owned()),
        ),
        (
            "signed with the secret both know",
            |h, _, s| {
                *h = json!({ "alg": "HS256" });
                *s = Sign::WithTheSecret;
            },
            LogoutError::Algorithm("\"HS256\"".to_owned()),
        ),
        (
            "an algorithm that is not its key's",
            |h, _, _| h["alg"] = "RS256".into(),
            LogoutError::Key,
        ),
        (
            "the signature of another token",
            |_, _, s| *s = Sign::Elsewhere(1),
            LogoutError::Signature,
        ),
        (
            "another key under a known name",
            |_, _, s| *s = Sign::With(2),
            LogoutError::Signature,
        ),
        (
            "a key nobody knows",
            |h, _, s| {
                h["kid"] = "two".into();
                *s = Sign::With(2);
            },
            LogoutError::Key,
        ),
        (
            "another kind of token",
            |h, _, _| h["typ"] = "at+jwt".into(),
            LogoutError::Type("at+jwt".to_owned()),
        ),
        (
            "an extension we must know",
            |h, _, _| h["crit"] = json!(["b64"]),
            LogoutError::Extension,
        ),
    ];
    let hostile = Hostile::start().await;
    for (case, change, expected) in cases {
        let (mut header, mut claims, mut sign) = (
            json!({ "alg": "EdDSA", "kid": "one" }),
            logout_claims(&hostile.issuer),
            Sign::With(1),
        );
        change(&mut header, &mut claims, &mut sign);
        let told = hostile
            .provider
            .logout_token(&token(&header, &claims, sign))
            .await;
        assert_eq!(told.as_ref().unwrap_err(), expected, "{case}");
    }
    for nonsense in ["", "a.b", "a.b.c.d", "ä.ö.ü", "e30.e30."] {
        assert!(
            hostile.provider.logout_token(nonsense).await.is_err(),
            "{nonsense}"
        );
    }
    // An ID token of the same provider is none.
    let script = Script::new(&hostile.issuer);
    let id_token = token(&script.header, &script.claims, Sign::With(1));
    let told = hostile.provider.logout_token(&id_token).await;
    assert_eq!(told.unwrap_err(), LogoutError::Event);
}

struct Signed {
    lab: Lab,
    hostile: Hostile,
    router: Router,
}

impl Signed {
    async fn new() -> Self {
        let (mut lab, hostile) = (lab().await, Hostile::start().await);
        let settings = vec![settings(Oidc::MAIN, &hostile.issuer)];
        lab.site.providers = Providers::new(settings, &base_url()).unwrap();
        let router = lab.router();
        Self {
            lab,
            hostile,
            router,
        }
    }

    /// Signs somebody in, in a session that the provider calls `there`; gives the cookie.
    async fn enter(&self, subject: &str, there: Option<&str>) -> String {
        let console = &self.lab.site.console;
        let who = SignIn {
            issuer: self.hostile.issuer.clone(),
            subject: subject.to_owned(),
            name: subject.to_owned(),
            email: String::new(),
            email_verified: None,
            groups: vec!["viewers".to_owned()],
        };
        let user = console
            .sign_in(who, audit::Request::default())
            .await
            .unwrap()
            .user;
        let at = AtProvider {
            provider: Oidc::MAIN.to_owned(),
            session: there.map(str::to_owned),
            id_token: Some("a.hint.b".to_owned()),
        };
        self.lab.cookie(user, at).await
    }

    async fn is_in(&self, cookie: &str) -> bool {
        let request = Request::get("/rollouts").header(header::COOKIE, cookie);
        let answer = ask(&self.router, request.body(Body::empty()).unwrap()).await;
        answer.status() == StatusCode::OK
    }

    async fn news(&self, token: &str) -> (StatusCode, String) {
        let request = Request::post("/auth/backchannel-logout")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(format!("logout_token={token}")));
        let answer = ask(&self.router, request.unwrap()).await;
        assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
        text(answer).await
    }

    fn token(&self, change: fn(&mut Value)) -> String {
        let mut claims = logout_claims(&self.hostile.issuer);
        change(&mut claims);
        token(
            &json!({ "alg": "EdDSA", "kid": "one", "typ": "logout+jwt" }),
            &claims,
            Sign::With(1),
        )
    }
}

#[tokio::test]
async fn who_signs_out_there_is_out_here() {
    let signed = Signed::new().await;
    type Case = (&'static str, fn(&mut Value), [bool; 4]);
    // Maria in the session named, in another, in one without a name; and Otto in one.
    let cases: &[Case] = &[
        ("a person and a session", |_| (), [false, true, false, true]),
        (
            "a person",
            |c| without("sid", c),
            [false, false, false, true],
        ),
        (
            "a session",
            |c| without("sub", c),
            [false, true, false, true],
        ),
        (
            "somebody who never was here",
            |c| c["sub"] = "nobody".into(),
            [true, true, true, true],
        ),
        (
            "a session that never was here",
            |c| {
                without("sub", c);
                c["sid"] = "never".into();
            },
            [true, true, true, true],
        ),
        (
            "a session of somebody else",
            |c| {
                c["sub"] = "otto".into();
                c["sid"] = "there".into();
            },
            [true, true, true, true],
        ),
    ];
    for (case, change, expected) in cases {
        let cookies = [
            signed.enter("maria", Some("there")).await,
            signed.enter("maria", Some("elsewhere")).await,
            signed.enter("maria", None).await,
            signed.enter("otto", Some("ottos")).await,
        ];
        for cookie in &cookies {
            assert!(signed.is_in(cookie).await, "{case}");
        }
        let (status, said) = signed.news(&signed.token(*change)).await;
        assert_eq!(status, 200, "{case}: {said}");
        let mut seen = [true; 4];
        for (seen, cookie) in seen.iter_mut().zip(&cookies) {
            *seen = signed.is_in(cookie).await;
        }
        assert_eq!(seen, *expected, "{case}");
    }
}

#[tokio::test]
async fn a_word_that_was_heard_ends_nothing_again() {
    let signed = Signed::new().await;
    let token = signed.token(|_| ());
    assert_eq!(signed.news(&token).await.0, 200);
    let cookie = signed.enter("maria", Some("there")).await;
    let (status, said) = signed.news(&token).await;
    assert_eq!(status, 400);
    assert!(
        said.contains("invalid_request") && said.contains("heard before"),
        "{said}"
    );
    assert!(signed.is_in(&cookie).await);
}

#[tokio::test]
async fn keys_are_not_asked_for_as_often_as_anybody_likes() {
    let hostile = Hostile::start().await;
    let with = |name: &'static str, seed| {
        let header = json!({ "alg": "EdDSA", "kid": name });
        token(&header, &logout_claims(&hostile.issuer), Sign::With(seed))
    };
    for _ in 0..5 {
        let told = hostile.provider.logout_token(&with("none", 9)).await;
        assert_eq!(told.unwrap_err(), LogoutError::Key);
    }
    hostile.change(|s| s.published = vec![(2, "two")]);
    // Whether the provider has it will be known later, and it may say so again then.
    let told = hostile.provider.logout_token(&with("two", 2)).await;
    assert_eq!(told.unwrap_err(), LogoutError::NoKeys);
}

#[tokio::test]
async fn signing_out_leads_to_the_provider_for_who_wants_to() {
    let signed = Signed::new().await;
    let cookie = signed.enter("maria", Some("there")).await;
    let request = Request::post("/auth/logout")
        .header(header::ORIGIN, "http://127.0.0.1:8400")
        .header(header::COOKIE, &cookie)
        .body(Body::empty())
        .unwrap();
    let (status, page) = text(ask(&signed.router, request).await).await;
    assert_eq!(status, 200);
    let there = format!(
        "{}/session/end?client_id=slipway&amp;post_logout_redirect_uri=",
        signed.hostile.issuer
    );
    assert!(
        page.contains(&there) && page.contains("id_token_hint=a.hint.b"),
        "{page}"
    );
    assert!(!signed.is_in(&cookie).await);
}

#[tokio::test]
async fn what_is_no_form_is_refused_as_such() {
    let signed = Signed::new().await;
    let kind = "application/x-www-form-urlencoded";
    let long = format!("logout_token={}", "a".repeat(100_000));
    for (kind, body) in [
        (kind, ""),
        (kind, "token=a.b.c"),
        (kind, "logout_token=a&logout_token=b"),
        (kind, long.as_str()),
        ("application/json", "{}"),
    ] {
        let request = Request::post("/auth/backchannel-logout")
            .header(header::CONTENT_TYPE, kind)
            .body(Body::from(body.to_owned()));
        let (status, said) = text(ask(&signed.router, request.unwrap()).await).await;
        assert_eq!(status, 400, "{said}");
        assert!(said.contains("invalid_request"), "{said}");
    }
}
