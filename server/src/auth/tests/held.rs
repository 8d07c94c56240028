//! What people hold, what they are refused, and what is told of it.

use control::SignIn;
use domain::audit;
use view::input::{AuditQuery, EndGrantInput, ExplainQuery, GrantInput};

use crate::testing::{admin, lab};

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
    let chief = console
        .sign_in(chief, audit::Request::default())
        .await
        .unwrap()
        .user;
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
