//! Answers and ID tokens.

use super::*;
use crate::testing::get;

#[derive(Debug, PartialEq)]
enum Refused {
    /// The provider is not who it should be, or not there.
    Unreachable,
    /// It did not give tokens that can be read.
    Exchange,
    /// What it gave cannot be trusted.
    Untrusted,
}

use Refused::{Exchange, Unreachable, Untrusted};

#[tokio::test]
async fn every_defect_of_an_answer_is_refused() {
    type Case = (&'static str, fn(&mut Script), Refused);
    let cases: &[Case] = &[
        (
            "another issuer",
            |s| s.claims["iss"] = "https://login.example.org".into(),
            Untrusted,
        ),
        (
            "an issuer with a slash more",
            |s| s.claims["iss"] = format!("{}/", s.claims["iss"].as_str().unwrap()).into(),
            Untrusted,
        ),
        ("no issuer", |s| without("iss", &mut s.claims), Exchange),
        ("no subject", |s| without("sub", &mut s.claims), Exchange),
        (
            "another audience",
            |s| s.claims["aud"] = "grafana".into(),
            Untrusted,
        ),
        ("no audience", |s| s.claims["aud"] = json!([]), Untrusted),
        (
            "an audience beside us",
            |s| s.claims["aud"] = json!([CLIENT, "grafana"]),
            Untrusted,
        ),
        (
            "made for another client",
            |s| s.claims["azp"] = "grafana".into(),
            Untrusted,
        ),
        (
            "expired",
            |s| s.claims["exp"] = (now() - 61).into(),
            Untrusted,
        ),
        ("no expiry", |s| without("exp", &mut s.claims), Exchange),
        (
            "made in the future",
            |s| s.claims["iat"] = (now() + 90).into(),
            Untrusted,
        ),
        (
            "made long ago",
            |s| s.claims["iat"] = (now() - 700).into(),
            Untrusted,
        ),
        (
            "no time of making",
            |s| without("iat", &mut s.claims),
            Exchange,
        ),
        (
            "another nonce",
            |s| s.claims["nonce"] = "of somebody else".into(),
            Untrusted,
        ),
        ("no nonce", |s| without("nonce", &mut s.claims), Untrusted),
        (
            "alg none",
            |s| {
                s.header = json!({ "alg": "none" });
                s.sign = Sign::Not;
            },
            Untrusted,
        ),
        (
            "alg none, signed all the same",
            |s| s.header = json!({ "alg": "none", "kid": "one" }),
            Untrusted,
        ),
        (
            "signed with the secret both know",
            |s| {
                s.header = json!({ "alg": "HS256" });
                s.sign = Sign::WithTheSecret;
            },
            Untrusted,
        ),
        (
            "an algorithm that is not its key's",
            |s| s.header = json!({ "alg": "RS256", "kid": "one" }),
            Untrusted,
        ),
        (
            "an unknown algorithm",
            |s| s.header = json!({ "alg": "XY99", "kid": "one" }),
            Exchange,
        ),
        ("no signature", |s| s.sign = Sign::Not, Untrusted),
        (
            "the signature of another token",
            |s| s.sign = Sign::Elsewhere(1),
            Untrusted,
        ),
        (
            "another key under a known name",
            |s| s.sign = Sign::With(2),
            Untrusted,
        ),
        (
            "a key nobody knows",
            |s| {
                s.sign = Sign::With(2);
                s.header["kid"] = "two".into();
            },
            Untrusted,
        ),
        (
            "encrypted for us",
            |s| s.header = json!({ "alg": "RSA-OAEP", "enc": "A128GCM" }),
            Exchange,
        ),
        (
            "an extension we must know",
            |s| s.header["crit"] = json!(["b64"]),
            Untrusted,
        ),
        (
            "another kind of token",
            |s| s.header["typ"] = "at+jwt".into(),
            Untrusted,
        ),
        (
            "an access token of somebody else",
            |s| s.claims["at_hash"] = "AAAAAAAAAAAAAAAAAAAAAA".into(),
            Untrusted,
        ),
        (
            "two parts",
            |s| s.tokens["id_token"] = "a.b".into(),
            Exchange,
        ),
        ("no text", |s| s.tokens["id_token"] = 7.into(), Exchange),
        (
            "no access token",
            |s| without("access_token", &mut s.tokens),
            Exchange,
        ),
        (
            "the code of another browser",
            |s| s.challenge = "of another".into(),
            Exchange,
        ),
        (
            "an error",
            |s| {
                s.token_status = StatusCode::BAD_REQUEST;
                s.tokens = json!({ "error": "invalid_client" });
            },
            Exchange,
        ),
        (
            "somewhere else to ask",
            |s| s.token_status = StatusCode::TEMPORARY_REDIRECT,
            Exchange,
        ),
        (
            "facts about somebody else",
            |s| s.userinfo["sub"] = "otto".into(),
            Unreachable,
        ),
        (
            "facts about nobody",
            |s| without("sub", &mut s.userinfo),
            Unreachable,
        ),
        (
            "the browser comes from another provider",
            |s| s.iss = Some("https://login.example.org".to_owned()),
            Untrusted,
        ),
    ];
    for (case, change, expected) in cases {
        let hostile = Hostile::start().await;
        hostile
            .sign_in(|_| ())
            .await
            .unwrap_or_else(|why| panic!("before {case}: {why}"));
        let why = match hostile.sign_in(*change).await {
            Err(ProviderError::Unreachable { .. }) => Unreachable,
            Err(ProviderError::Exchange) => Exchange,
            Err(ProviderError::Untrusted) => Untrusted,
            Ok(who) => panic!("{case}: {who:?} is in"),
        };
        assert_eq!(why, *expected, "{case}");
    }
}

#[tokio::test]
async fn a_provider_that_is_not_what_it_was_named_is_not_used() {
    type Change = fn(&mut Script);
    let cases: &[(&str, Change)] = &[
        ("it has another name", |s| {
            s.document["issuer"] = "https://login.example.org".into()
        }),
        ("no keys", |s| without("jwks_uri", &mut s.document)),
        ("nowhere to sign in", |s| {
            without("authorization_endpoint", &mut s.document)
        }),
    ];
    for (case, change) in cases {
        let hostile = Hostile::start().await;
        hostile.change(change);
        let started = hostile.provider.start().await;
        assert!(
            matches!(started, Err(ProviderError::Unreachable { .. })),
            "{case}"
        );
    }
}

#[tokio::test]
async fn which_of_two_keys_has_to_be_said() {
    let hostile = Hostile::start().await;
    hostile.change(|s| s.published.push((2, "two")));
    let told = hostile.sign_in(|s| without("kid", &mut s.header)).await;
    assert_eq!(told, Err(ProviderError::Untrusted));
}

#[tokio::test]
async fn who_promised_to_name_itself_has_to() {
    let hostile = Hostile::start().await;
    hostile.change(|s| s.document["authorization_response_iss_parameter_supported"] = true.into());
    assert_eq!(hostile.sign_in(|_| ()).await, Err(ProviderError::Untrusted));
    hostile
        .sign_in(|s| s.iss = s.document["issuer"].as_str().map(str::to_owned))
        .await
        .unwrap();
}

#[tokio::test]
async fn what_is_right_or_nearly_so_is_taken() {
    type Change = fn(&mut Script);
    let cases: &[(&str, Change)] = &[
        ("as it should be", |_| ()),
        ("its clock is behind", |s| {
            s.claims["exp"] = (now() - 30).into();
            s.claims["iat"] = (now() - 330).into();
        }),
        ("its clock is ahead", |s| {
            s.claims["iat"] = (now() + 30).into()
        }),
        ("made for us among one", |s| {
            s.claims["aud"] = json!([CLIENT]);
            s.claims["azp"] = CLIENT.into();
        }),
        ("no name of the key, where there is one", |s| {
            without("kid", &mut s.header)
        }),
        ("a new key", |s| {
            s.published = vec![(1, "one"), (2, "two")];
            s.header["kid"] = "two".into();
            s.sign = Sign::With(2);
        }),
        ("and the next, the first is gone", |s| {
            s.published = vec![(2, "two"), (3, "three")];
            s.header["kid"] = "three".into();
            s.sign = Sign::With(3);
        }),
    ];
    let hostile = Hostile::start().await;
    for (case, change) in cases {
        let who = hostile
            .sign_in(*change)
            .await
            .unwrap_or_else(|why| panic!("{case}: {why}"));
        assert_eq!(
            (who.subject.as_str(), &who.issuer),
            ("maria", &hostile.issuer),
            "{case}"
        );
        assert_eq!(who.groups, ["viewers"], "{case}");
        assert_eq!(who.at.session.as_deref(), Some("there"), "{case}");
        hostile.change(|s| {
            let fresh = Script::new(&hostile.issuer);
            s.claims = fresh.claims;
        });
    }
    let out = hostile
        .sign_in(|s| {
            s.header["kid"] = "one".into();
            s.sign = Sign::With(1);
        })
        .await;
    assert_eq!(
        out,
        Err(ProviderError::Untrusted),
        "a key that was taken back"
    );
}

#[tokio::test]
async fn an_answer_to_the_address_of_another_provider_signs_nobody_in() {
    let (mut lab, ours, theirs) = (lab().await, Hostile::start().await, Hostile::start().await);
    let settings = vec![
        settings(Oidc::MAIN, &ours.issuer),
        settings("theirs", &theirs.issuer),
    ];
    lab.site.providers = Providers::new(settings, &base_url()).unwrap();
    let router = lab.router();

    let (status, page) =
        text(ask(&router, get("/auth/login?return_to=/jobs?state=open")).await).await;
    assert_eq!(status, StatusCode::OK);
    for choice in [
        "/auth/login/main?return_to=%2Fjobs%3Fstate%3Dopen",
        "/auth/login/theirs?return_to=%2Fjobs%3Fstate%3Dopen",
        "The place theirs",
    ] {
        assert!(page.contains(choice), "{choice}: {page}");
    }
    let nobody = ask(&router, get("/auth/login/nobodys")).await;
    assert_eq!(nobody.status(), StatusCode::NOT_FOUND);

    for (begins_at, host, comes_back_at, status) in [
        ("main", &ours, "/auth/callback/theirs", 400),
        ("theirs", &theirs, "/auth/callback", 400),
        // Its own, where it is asked what the code is worth.
        ("main", &ours, "/auth/callback", 403),
        ("theirs", &theirs, "/auth/callback/theirs", 403),
    ] {
        let begun = ask(&router, get(&format!("/auth/login/{begins_at}"))).await;
        let location = begun.headers()[header::LOCATION].to_str().unwrap();
        let url: Url = location.parse().unwrap();
        assert!(location.starts_with(&host.issuer), "{location}");
        let asked = |wanted: &str| {
            let mut pairs = url.query_pairs();
            pairs
                .find(|(name, _)| name == wanted)
                .unwrap()
                .1
                .into_owned()
        };
        assert!(asked("redirect_uri").ends_with(match begins_at {
            "main" => "/auth/callback",
            _ => "/auth/callback/theirs",
        }));
        let challenge = asked("code_challenge");
        host.change(|script| script.challenge = challenge);
        let cookie = begun.headers()[header::SET_COOKIE].to_str().unwrap();
        let cookie = cookie.split(';').next().unwrap().to_owned();
        let iss = url::form_urlencoded::byte_serialize(host.issuer.as_bytes()).collect::<String>();
        let back = format!(
            "{comes_back_at}?code=code&state={}&iss={iss}",
            asked("state")
        );
        let request = Request::get(back).header(header::COOKIE, cookie);
        let answer = ask(&router, request.body(Body::empty()).unwrap()).await;
        assert_eq!(
            answer.status().as_u16(),
            status,
            "{begins_at} {comes_back_at}"
        );
    }
}
