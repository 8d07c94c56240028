use axum::Router;
use domain::person::PersonState;
use testkit::{Database, World, start};

use super::*;
use crate::{
    RoleRule, SignIn,
    testing::{console, console_with},
};

fn wish(person: UserId, reach: TokenReach) -> TokenInput {
    TokenInput {
        person: person.to_string(),
        name: "laptop".to_owned(),
        reach: reach.word().to_owned(),
        days: "90".to_owned(),
    }
}

async fn acting(console: &Console, secret: &str) -> Subject {
    let found = console.subject_of_token(secret).await.unwrap();
    found.expect("the token can be used")
}

async fn give(world: &World, person: UserId, grant: Grant) {
    let admin = testkit::subject("Alma", Role::Admin);
    let resource = Resource::grant(person, "somebody", &grant);
    let permit = testkit::permit(&admin, Action::Grant, resource);
    let new = store::NewGrant {
        id: domain::id::GrantId(testkit::mint()),
        person,
        grant,
        told: "a role".to_owned(),
        reason: "A test.".to_owned(),
        expires_at: None,
    };
    world.store().grant(&permit, &new, start()).await.unwrap();
}

#[tokio::test]
async fn a_token_may_what_its_holder_may_at_that_moment() {
    let world = World::new(Database::sqlite().await, 3).await;
    let console = console(&world, Router::new()).await;
    let maria = console.ctx(world.maria.clone());
    let all = maria
        .make_token(wish(world.maria.user, TokenReach::All))
        .await
        .unwrap();
    let read = maria
        .make_token(wish(world.maria.user, TokenReach::Read))
        .await
        .unwrap();
    assert_eq!(
        acting(&console, &all).await.grants,
        Vec::new(),
        "she holds nothing here yet"
    );

    let member = Grant::new(Role::Member, Some(world.team.id));
    give(&world, world.maria.user, member.clone()).await;
    let acts = acting(&console, &all).await;
    assert_eq!((acts.user, &*acts.name), (world.maria.user, "Maria"));
    assert_eq!(acts.grants, [member]);
    assert!(acts.request.token.is_some());
    let viewer = Grant::new(Role::Viewer, Some(world.team.id));
    assert_eq!(acting(&console, &read).await.grants, [viewer]);

    let admin = testkit::subject("Alma", Role::Admin);
    let person = Resource::new(Kind::Person, world.maria.user, "Maria");
    let permit = testkit::permit(&admin, Action::ManagePeople, person);
    let out = PersonState::Disabled;
    world
        .store()
        .person_state(&permit, world.maria.user, out, "She left.", start())
        .await
        .unwrap();
    for secret in [&all, &read] {
        assert_eq!(console.subject_of_token(secret).await.unwrap(), None);
    }
}

#[tokio::test]
async fn what_groups_give_is_held_while_the_provider_confirms_it() {
    let world = World::new(Database::sqlite().await, 3).await;
    let viewers = RoleRule {
        issuer: None,
        group: "viewers".to_owned(),
        role: Role::Viewer,
        team: None,
    };
    let rules = vec![viewers];
    let console = console_with(&world, Router::new(), |settings| {
        settings.role_rules = rules
    });
    let console = console.await;
    let who = SignIn {
        issuer: "https://login.example.org".to_owned(),
        subject: "lena".to_owned(),
        name: "Lena".to_owned(),
        email: String::new(),
        email_verified: None,
        groups: vec!["viewers".to_owned()],
    };
    let signs_in = || console.sign_in(who.clone(), Default::default());
    let lena = signs_in().await.unwrap();
    let wish = wish(lena.user, TokenReach::All);
    let secret = console.ctx(lena).make_token(wish).await.unwrap();
    let week = 7 * 24 * 3600;
    for (seconds, grants) in [(week, 1), (1, 0)] {
        world.clock.advance_seconds(seconds);
        assert_eq!(acting(&console, &secret).await.grants.len(), grants);
    }
    signs_in().await.unwrap();
    assert_eq!(acting(&console, &secret).await.grants.len(), 1);
}

#[tokio::test]
async fn nobody_makes_or_ends_a_token_of_another_person() {
    let world = World::new(Database::sqlite().await, 3).await;
    let console = console(&world, Router::new()).await;
    let maria = console.ctx(world.maria.clone());
    let otto = console.ctx(world.otto.clone());
    let alma = console.ctx(testkit::subject("Alma", Role::Admin));
    maria
        .make_token(wish(world.maria.user, TokenReach::All))
        .await
        .unwrap();
    let hers = world
        .store()
        .tokens(Some(world.maria.user), None, 9)
        .await
        .unwrap();
    let ending = EndTokenInput {
        token: hers.items[0].id.to_string(),
        reason: "It leaked.".to_owned(),
    };

    let wanted = wish(world.maria.user, TokenReach::All);
    let refused = otto.make_token(wanted.clone()).await.unwrap_err();
    assert_eq!(refused.status(), 403, "{refused:?}");
    let refused = alma.make_token(wanted.clone()).await.unwrap_err();
    assert_eq!(
        refused.status(),
        409,
        "an admin acts as nobody else: {refused:?}"
    );
    let refused = otto.end_token(ending.clone()).await.unwrap_err();
    assert_eq!(refused.status(), 403, "{refused:?}");
    maria.end_token(ending.clone()).await.unwrap();
    let again = maria.end_token(ending).await.unwrap_err();
    assert_eq!(again.status(), 409, "{again:?}");

    for (field, wrong) in [
        (
            "name",
            TokenInput {
                name: "two\nlines".to_owned(),
                ..wanted.clone()
            },
        ),
        (
            "reach",
            TokenInput {
                reach: "everything".to_owned(),
                ..wanted.clone()
            },
        ),
        (
            "days",
            TokenInput {
                days: "367".to_owned(),
                ..wanted.clone()
            },
        ),
        (
            "days",
            TokenInput {
                days: String::new(),
                ..wanted.clone()
            },
        ),
    ] {
        let refused = maria.make_token(wrong).await.unwrap_err();
        assert_eq!(refused.field(), Some(field), "{refused:?}");
    }
}

#[tokio::test]
async fn a_service_account_acts_with_its_roles_and_decides_on_nothing() {
    let world = World::new(Database::sqlite().await, 3).await;
    let requested = world.request("1.1.0").await;
    let console = console(&world, Router::new()).await;
    let alma = console.ctx(testkit::subject("Alma", Role::Admin));
    let account = AccountInput {
        name: "Pipeline".to_owned(),
        reason: "It releases what was merged.".to_owned(),
    };
    let refused = console
        .ctx(world.omar.clone())
        .make_account(account.clone())
        .await;
    assert_eq!(refused.unwrap_err().status(), 403);
    let robot = alma.make_account(account).await.unwrap();
    let secret = alma.make_token(wish(robot, TokenReach::All)).await.unwrap();
    for role in [Role::Approver, Role::Operator] {
        give(&world, robot, Grant::new(role, None)).await;
    }
    let acts = acting(&console, &secret).await;
    assert_eq!((acts.kind, acts.grants.len()), (PersonKind::Service, 2));
    let own = policy::own_token(&acts, TokenId(testkit::mint()), "another");
    assert!(own.is_err(), "a program makes no token for itself");

    let loaded = world.load(requested).await;
    let about = crate::rollout::resource(&loaded);
    let approving = policy::permit(&acts, Action::Approve, about.clone());
    let denied = approving.unwrap_err().of_another();
    assert!(denied.contains("no-machine-decides"), "{denied}");
    assert!(policy::permit(&acts, Action::Pause, about).is_ok());
}
