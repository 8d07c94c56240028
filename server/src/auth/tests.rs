use axum::{
    body::Body,
    http::{Request, Response, header},
    middleware,
    routing::get as get_route,
};
use tower_sessions::{Session, SessionStore as _};
use view::input::{
    AuditQuery, EndGrantInput, EndSessionInput, ExplainQuery, GrantInput, PersonInput,
};

use super::{
    session::{AtProvider, Sessions},
    *,
};
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

fn sessions(lab: &Lab) -> Sessions {
    Sessions {
        console: lab.site.console.clone(),
        seal: lab.site.seal.clone(),
    }
}

fn router(lab: &Lab) -> Router {
    Router::new()
        .route("/enter", get_route(enter))
        .route("/who", get_route(who))
        .merge(routes())
        .layer(middleware::from_fn_with_state(lab.site.clone(), identify))
        .layer(session::layer(sessions(lab)))
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
    let store = sessions(&lab);
    let session = Session::new(None, std::sync::Arc::new(store.clone()), None);
    session::sign_in(
        &session,
        lab.somebody().await,
        AtProvider::default(),
        SystemClock.now(),
    )
    .await
    .unwrap();
    session.save().await.unwrap();
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
    let store = std::sync::Arc::new(sessions(&lab));
    let now = SystemClock.now();
    let session = Session::new(None, store.clone(), None);
    session::sign_in(&session, lab.somebody().await, AtProvider::default(), now)
        .await
        .unwrap();
    session.save().await.unwrap();
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
    let store = std::sync::Arc::new(sessions(&lab));
    let session = Session::new(None, store.clone(), None);
    session::sign_in(
        &session,
        lab.somebody().await,
        AtProvider::default(),
        SystemClock.now(),
    )
    .await
    .unwrap();
    session.save().await.unwrap();
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
    let router = router(&lab);
    let begun_at = |at| Begun {
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

#[tokio::test]
async fn what_is_refused_is_written_down_once_and_said_with_who_could_give_it() {
    let lab = lab().await;
    let console = &lab.site.console;
    let maria = lab.somebody().await;
    let chief = SignIn {
        issuer: "https://login.example.org".to_owned(),
        subject: "chief".to_owned(),
        name: "Carla Chief".to_owned(),
        email: String::new(),
        email_verified: None,
        groups: vec!["viewers".to_owned()],
    };
    let chief = console.sign_in(chief).await.unwrap().user;
    let give = GrantInput {
        person: chief.to_string(),
        role: "admin".to_owned(),
        reason: "Keeps people.".to_owned(),
        ..GrantInput::default()
    };
    console.ctx(admin()).give_role(give).await.unwrap();
    let ctx = console.ctx(console.subject(maria).await.unwrap().unwrap());
    let said = ctx.people(None).await.unwrap_err().message();
    assert_eq!(
        said,
        "Reading who may do what takes the role auditor or admin, which you do not hold. Carla Chief can give it, or whoever manages your sign-on groups."
    );
    assert!(ctx.people(None).await.is_err());
    let trail = AuditQuery {
        about: "access".to_owned(),
        ..AuditQuery::default()
    };
    let trail = console.ctx(admin()).audit(trail).await.unwrap().items;
    let told: Vec<_> = trail
        .iter()
        .map(|event| {
            (
                event.actor.as_str(),
                event.summary.as_str(),
                event.allowed_by.as_str(),
            )
        })
        .collect();
    let expected = (
        "Maria Member",
        "Refused: reading who may do what",
        "refused: no role held there allows it",
    );
    assert_eq!(told, [expected]);
}

#[tokio::test]
async fn a_decision_is_explained() {
    let lab = lab().await;
    let console = &lab.site.console;
    let maria = lab.somebody().await;
    let ask = |person: &str, action: &str, about: &str| ExplainQuery {
        person: person.to_owned(),
        action: action.to_owned(),
        about: about.to_owned(),
    };
    let own = console.ctx(console.subject(maria).await.unwrap().unwrap());
    let told = own
        .explain(ask("", "manage_projects", "project"))
        .await
        .unwrap();
    assert_eq!(
        (told.allowed, told.why.as_str()),
        (false, "Takes the role operator.")
    );
    assert_eq!(told.roles.len(), 1);
    let by_admin = console.ctx(admin());
    let told = by_admin
        .explain(ask("MARIA@example.org", "read_people", "person"))
        .await;
    assert!(!told.unwrap().allowed);
    let told = by_admin
        .explain(ask("", "read_people", "person"))
        .await
        .unwrap();
    assert_eq!(
        (told.allowed, told.why.as_str()),
        (true, "role admin: auditors-read-who-may-do-what")
    );
    for (person, action, about, status, said) in [
        (
            "nobody@example.org",
            "read_people",
            "person",
            404,
            "has signed in",
        ),
        ("", "fly", "rollout", 422, "no action that"),
        ("", "observe", "rollout", 422, "only Slipway itself"),
        ("", "release", "moon", 422, "no kind that"),
        (
            "",
            "release",
            "team",
            422,
            "release is not done to a team. Ask about: rollout",
        ),
        ("", "release", "rollout:7", 422, ""),
        ("", "release", "service:none", 404, ""),
        ("", "manage_projects", "project:1", 422, "cannot be named"),
        ("", "grant", "grant", 422, "depends on the role"),
    ] {
        let why = by_admin
            .explain(ask(person, action, about))
            .await
            .unwrap_err();
        assert_eq!(why.status(), status, "{action} {about}: {}", why.message());
        assert!(why.message().contains(said), "{}", why.message());
    }
    let stranger = console.ctx(console.subject(maria).await.unwrap().unwrap());
    let other = admin().user.to_string();
    assert!(
        stranger
            .explain(ask(&other, "release", "rollout"))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_review_has_every_role_with_where_it_comes_from() {
    let lab = lab().await;
    let console = &lab.site.console;
    let maria = lab.somebody().await;
    let give = |role: &str, days: &str| GrantInput {
        person: maria.to_string(),
        role: role.to_owned(),
        reason: "=1+1".to_owned(),
        days: days.to_owned(),
        ..GrantInput::default()
    };
    let ctx = console.ctx(admin());
    ctx.give_role(give("operator", "7")).await.unwrap();
    ctx.give_role(give("auditor", "")).await.unwrap();
    let auditor = ctx.person(maria, None).await.unwrap().grants;
    let auditor = auditor.into_iter().find(|grant| grant.role == "auditor");
    let take = EndGrantInput {
        person: maria.to_string(),
        grant: auditor.unwrap().id.to_string(),
        reason: "A mistake.".to_owned(),
    };
    ctx.take_role(take).await.unwrap();
    let name = "nightly".parse().unwrap();
    let new = control::NewToken {
        name,
        roles: vec![(policy::Role::Viewer, None)],
        days: 30,
    };
    console.create_token(new).await.unwrap();
    let lines = ctx.review().await.unwrap();
    let told: Vec<_> = lines
        .iter()
        .map(|line| {
            (
                line.name.as_str(),
                line.role.as_str(),
                line.given_by.as_str(),
                line.until.is_some(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("Maria Member", "viewer", "group viewers", false),
            ("Maria Member", "operator", "Alma Admin", true),
            ("nightly", "viewer", "Slipway", true),
        ]
    );
    let stranger = console.ctx(console.subject(maria).await.unwrap().unwrap());
    assert_eq!(stranger.review().await.unwrap_err().status(), 403);
}
