mod held;

use axum::{
    body::Body,
    http::{Request, Response, header},
    middleware,
    routing::get as get_route,
};
use tower_sessions::{Session, SessionStore as _};
use view::input::{EndGrantInput, EndSessionInput, GrantInput, PersonInput};

use super::{session::AtProvider, *};
use crate::testing::{Lab, admin, ask, get, lab, somebody, text};

async fn enter(State(site): State<Site>, session: Session) -> &'static str {
    let user = somebody(&site.console).await;
    session::sign_in(&session, user, AtProvider::default(), SystemClock.now())
        .await
        .unwrap();
    "in"
}

async fn who(axum::Extension(visitor): axum::Extension<Visitor>) -> String {
    visitor
        .subject
        .map_or_else(|| "nobody".to_owned(), |subject| subject.name)
}

fn router(lab: &Lab) -> Router {
    Router::new()
        .route("/enter", get_route(enter))
        .route("/who", get_route(who))
        .merge(routes())
        .layer(middleware::from_fn_with_state(lab.site.clone(), identify))
        .layer(session::layer(lab.sessions()))
        .with_state(lab.site.clone())
}

fn cookie(response: &Response<Body>) -> String {
    response.headers()[header::SET_COOKIE]
        .to_str()
        .unwrap()
        .to_owned()
}

fn with(path: &str, cookie: &str) -> Request<Body> {
    let pair = cookie.split(';').next().unwrap();
    Request::get(path)
        .header(header::COOKIE, pair)
        .body(Body::empty())
        .unwrap()
}

#[tokio::test]
async fn the_cookie_is_as_narrow_as_it_can_be() {
    let lab = lab().await;
    let set = cookie(&ask(&router(&lab), get("/enter")).await);
    let mut parts = set.split("; ");
    let (name, value) = parts.next().unwrap().split_once('=').unwrap();
    assert_eq!(
        (name, value.len()),
        ("__Host-slipway", 22),
        "128 random bits"
    );
    let mut attributes: Vec<_> = parts.collect();
    attributes.sort_unstable();
    assert_eq!(
        attributes,
        [
            "HttpOnly",
            "Max-Age=28800",
            "Path=/",
            "SameSite=Lax",
            "Secure"
        ]
    );
}

#[tokio::test]
async fn signing_in_again_changes_the_id_and_signing_out_ends_it() {
    let lab = lab().await;
    let router = router(&lab);
    let first = cookie(&ask(&router, get("/enter")).await);
    assert_eq!(
        text(ask(&router, with("/who", &first)).await).await.1,
        "Maria Member"
    );

    let second = cookie(&ask(&router, with("/enter", &first)).await);
    assert_ne!(first, second);
    assert_eq!(
        text(ask(&router, with("/who", &first)).await).await.1,
        "nobody"
    );
    assert_eq!(
        text(ask(&router, with("/who", &second)).await).await.1,
        "Maria Member"
    );

    let pair = second.split(';').next().unwrap();
    let out = Request::post("/auth/logout")
        .header(header::COOKIE, pair)
        .body(Body::empty())
        .unwrap();
    let out = ask(&router, out).await;
    assert_eq!(out.status(), 200);
    let cleared = out.headers().get_all(header::SET_COOKIE).iter().any(|set| {
        let set = set.to_str().unwrap();
        set.starts_with("__Host-slipway=;")
            && set.contains("Max-Age=0")
            && set.contains("Secure")
            && set.contains("Path=/")
    });
    assert!(cleared, "{:?}", out.headers());
    assert_eq!(
        text(ask(&router, with("/who", &second)).await).await.1,
        "nobody"
    );
}

#[tokio::test]
async fn who_is_kept_out_is_out_with_the_next_request() {
    let lab = lab().await;
    let router = router(&lab);
    let pair = cookie(&ask(&router, get("/enter")).await);
    let who = async || text(ask(&router, with("/who", &pair)).await).await.1;
    assert_eq!(who().await, "Maria Member");
    let maria = lab.somebody().await;
    let set = async |state: &str| {
        let input = PersonInput {
            person: maria.to_string(),
            state: state.to_owned(),
            reason: "Left the company.".to_owned(),
        };
        lab.site.console.ctx(admin()).set_person(input).await
    };
    set("disabled").await.unwrap();
    assert_eq!(who().await, "nobody");
    assert!(set("disabled").await.is_err(), "already");
    assert_eq!(lab.site.console.subject(maria).await.unwrap(), None);
    set("active").await.unwrap();
    assert_eq!(who().await, "nobody", "the session is gone for good");
    assert!(lab.site.console.subject(maria).await.unwrap().is_some());
}

#[tokio::test]
async fn a_role_that_was_taken_is_gone_with_the_next_request() {
    let lab = lab().await;
    let maria = lab.somebody().await;
    let console = &lab.site.console;
    let roles = async || {
        let subject = console.subject(maria).await.unwrap().unwrap();
        let roles = subject.grants.iter().map(|grant| grant.role.word());
        roles.collect::<Vec<_>>()
    };
    let give = GrantInput {
        person: maria.to_string(),
        role: "operator".to_owned(),
        reason: "Stands in for Omar.".to_owned(),
        days: "7".to_owned(),
        ..GrantInput::default()
    };
    let ctx = console.ctx(admin());
    ctx.give_role(give.clone()).await.unwrap();
    assert_eq!(roles().await, ["operator", "viewer"]);
    assert!(ctx.give_role(give).await.is_err(), "once is enough");
    let view = ctx.person(maria, None).await.unwrap();
    assert_eq!(view.row.roles, ["viewer", "operator"]);
    let take = EndGrantInput {
        person: maria.to_string(),
        grant: view.grants[0].id.to_string(),
        reason: "Omar is back.".to_owned(),
    };
    let own = console.ctx(console.subject(maria).await.unwrap().unwrap());
    assert!(own.take_role(take.clone()).await.is_err());
    ctx.take_role(take).await.unwrap();
    assert_eq!(roles().await, ["viewer"]);
}

#[tokio::test]
async fn people_end_their_own_sessions_and_nobody_elses() {
    let lab = lab().await;
    let router = router(&lab);
    let here = cookie(&ask(&router, get("/enter")).await);
    let there = cookie(&ask(&router, get("/enter")).await);
    let who = async |pair: &str| text(ask(&router, with("/who", pair)).await).await.1;
    let maria = lab.somebody().await;
    let subject = lab.site.console.subject(maria).await.unwrap().unwrap();
    let ctx = lab.site.console.ctx(subject);
    let sessions = ctx.person(maria, None).await.unwrap().sessions;
    assert_eq!(sessions.len(), 2);
    let others = EndSessionInput {
        person: maria.to_string(),
        session: String::new(),
    };
    let mut stranger = admin();
    stranger.grants.clear();
    let stranger = lab.site.console.ctx(stranger);
    assert!(stranger.end_sessions(others.clone(), None).await.is_err());
    // Which of the two is the one that asks, the cookie alone would tell.
    let one = sessions[0].id.clone();
    ctx.end_sessions(others, Some(one)).await.unwrap();
    let mut seen = [who(&here).await, who(&there).await];
    seen.sort_unstable();
    assert_eq!(seen, ["Maria Member", "nobody"]);
}

#[tokio::test]
async fn the_database_holds_neither_the_id_nor_the_person() {
    let lab = lab().await;
    let store = lab.sessions();
    let session = lab
        .session(
            lab.somebody().await,
            AtProvider::default(),
            SystemClock.now(),
        )
        .await;
    let id = session.id().unwrap();
    assert_eq!(
        lab.site
            .console
            .session_load(&id.to_string())
            .await
            .unwrap(),
        None,
        "the id itself finds nothing"
    );
    let kept = lab
        .site
        .console
        .session_load(&session::hash(&id))
        .await
        .unwrap()
        .unwrap();
    assert!(!kept.contains("Maria"), "{kept}");

    // A row moved to another id does not open there.
    let other = tower_sessions::session::Id(7);
    lab.site
        .console
        .session_insert(
            &session::hash(&other),
            &kept,
            None,
            "",
            SystemClock.now() + SignedDuration::from_hours(1),
        )
        .await
        .unwrap();
    assert_eq!(store.load(&other).await.unwrap(), None);
}

#[tokio::test]
async fn a_session_ends_after_a_day_however_much_it_is_used() {
    let lab = lab().await;
    let store = std::sync::Arc::new(lab.sessions());
    let now = SystemClock.now();
    let session = lab
        .session(lab.somebody().await, AtProvider::default(), now)
        .await;
    let again = || Session::new(session.id(), store.clone(), None);
    assert!(
        session::current(&again(), now + SignedDuration::from_hours(23))
            .await
            .unwrap()
            .is_some()
    );
    assert!(
        session::current(&again(), now + SignedDuration::from_hours(24))
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        session::current(&again(), now).await.unwrap().is_none(),
        "and is gone"
    );
}

#[tokio::test]
async fn a_late_write_does_not_bring_a_session_back() {
    let lab = lab().await;
    let store = std::sync::Arc::new(lab.sessions());
    let session = lab
        .session(
            lab.somebody().await,
            AtProvider::default(),
            SystemClock.now(),
        )
        .await;
    let slow = Session::new(session.id(), store.clone(), None);
    slow.insert("note", 1).await.unwrap();
    session.flush().await.unwrap();
    slow.save().await.unwrap();
    assert_eq!(store.load(&slow.id().unwrap()).await.unwrap(), None);
}

#[tokio::test]
async fn without_a_provider_the_page_says_so() {
    let lab = lab().await;
    let (status, page) = text(ask(&router(&lab), get("/auth/login")).await).await;
    assert_eq!(status, 503);
    assert!(
        page.contains("http://127.0.0.9:9/") && page.contains("does not answer"),
        "{page}"
    );
}

#[tokio::test]
async fn an_answer_nobody_waits_for_signs_nobody_in() {
    let lab = lab().await;
    let router = lab.router();
    let begun_at = |at| Begun {
        provider: Oidc::MAIN.to_owned(),
        pending: Pending::for_test("right"),
        return_to: lab.site.base_url.clone(),
        at,
    };
    let stranger = begun_at(SystemClock.now());
    let stale = begun_at(SystemClock.now() - SignedDuration::from_mins(LOGIN_MINUTES));
    let sealed = |begun: &Begun| {
        format!(
            "{LOGIN_COOKIE}={}",
            lab.site
                .seal
                .seal(LOGIN_COOKIE, &serde_json::to_vec(begun).unwrap())
                .unwrap()
        )
    };
    let table = [
        (
            "no cookie",
            String::new(),
            "/auth/callback?code=c&state=right",
        ),
        (
            "forged cookie",
            format!("{LOGIN_COOKIE}=AQAAAA"),
            "/auth/callback?code=c&state=right",
        ),
        (
            "wrong state",
            sealed(&stranger),
            "/auth/callback?code=c&state=wrong",
        ),
        ("no state", sealed(&stranger), "/auth/callback?code=c"),
        (
            "too late",
            sealed(&stale),
            "/auth/callback?code=c&state=right",
        ),
    ];
    for (case, cookie, path) in table {
        let response = ask(&router, with(path, &cookie)).await;
        assert!(
            !response
                .headers()
                .get_all(header::SET_COOKIE)
                .iter()
                .any(|set| set.to_str().unwrap().starts_with("__Host-slipway=")),
            "{case}"
        );
        assert_eq!(text(response).await.0, 400, "{case}");
    }
    let response = ask(
        &router,
        with(
            "/auth/callback?error=access_denied&error_description=%3Cscript%3E&state=right",
            &sealed(&stranger),
        ),
    )
    .await;
    let (status, page) = text(response).await;
    assert_eq!(status, 403);
    assert!(!page.contains("<script>"));
}
