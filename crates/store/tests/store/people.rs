//! People, sessions, tokens.

use domain::id::GrantId;
use domain::{
    SignedDuration, Timestamp,
    audit::{AuditNote, Request},
    id::{TokenId, UserId},
    person::{PersonKind, TokenReach},
};
use policy::{Action, Grant, Kind, Resource, Role, SystemAction};
use store::{Acts, AuditFilter, Ending, Giver, Holder, NewGrant, Person, StoreError, TokenRow};
use testkit::{Database, World, mint, on_each_database, permit, start, subject, system};

on_each_database!(
    a_person_keeps_their_id,
    givers_are_those_who_hold_the_role_now,
    sessions_end,
    sessions_end_there,
    tokens_act_for_somebody,
    tokens_end
);

fn after(seconds: i64) -> Timestamp {
    start()
        .checked_add(SignedDuration::from_secs(seconds))
        .unwrap()
}

async fn a_person_keeps_their_id(db: Database) {
    let store = &db.store;
    let person = |name: &str, issuer: &str| Person {
        id: UserId(mint()),
        issuer: issuer.to_owned(),
        subject: "42".to_owned(),
        name: name.to_owned(),
        email: "m@example.org".to_owned(),
        human: "m@example.org".to_owned(),
        groups: vec!["one".to_owned()],
    };
    let permit = system(SystemAction::SIGN_IN, Resource::new(Kind::Person, "", ""));
    let (maria, other) = (
        person("Maria", "https://one.example.org"),
        person("Mallory", "https://two.example.org"),
    );
    let id = store.sign_in(&permit, &maria, start()).await.unwrap();
    assert_eq!(id, maria.id);
    assert_eq!(
        store
            .sign_in(
                &permit,
                &person("Maria Jones", "https://one.example.org"),
                after(60)
            )
            .await
            .unwrap(),
        id
    );
    let now = store.person_now(id, start()).await.unwrap().unwrap();
    assert_eq!(now.person.name, "Maria Jones");
    assert_eq!(now.person.groups, ["one"]);
    assert_ne!(
        store.sign_in(&permit, &other, start()).await.unwrap(),
        id,
        "the same subject at another issuer is somebody else"
    );
    assert_eq!(
        store.person_now(UserId(mint()), start()).await.unwrap(),
        None
    );
}

/// Somebody who signed in, belongs to these groups, and is called so.
async fn signed_in(db: &Database, name: &str, groups: &[&str]) -> UserId {
    let person = Person {
        id: UserId(mint()),
        issuer: "https://login.example.org".to_owned(),
        subject: name.to_lowercase(),
        name: name.to_owned(),
        email: format!("{}@example.org", name.to_lowercase()),
        human: String::new(),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
    };
    let permit = system(SystemAction::SIGN_IN, Resource::new(Kind::Person, "", ""));
    db.store.sign_in(&permit, &person, start()).await.unwrap()
}

async fn givers_are_those_who_hold_the_role_now(db: Database) {
    let store = &db.store;
    // A group's name may have what LIKE takes for its own.
    let alma = signed_in(&db, "Alma", &["100%_admins"]).await;
    let lena = signed_in(
        &db,
        "Lena",
        &["100 and admins", "x100%_admins", "100%_ADMINS"],
    )
    .await;
    let omar = signed_in(&db, "Omar", &[]).await;
    let admin = Grant::new(Role::Admin, None);
    let giving = subject("Ada", Role::Admin);
    let to_omar = permit(
        &giving,
        Action::Grant,
        Resource::grant(omar, "Omar", &admin),
    );
    let new = NewGrant {
        id: GrantId(mint()),
        person: omar,
        grant: admin,
        told: "admin".to_owned(),
        reason: "Stands in.".to_owned(),
        expires_at: Some(after(60)),
    };
    store.grant(&to_omar, &new, start()).await.unwrap();
    let wanted = [Giver {
        role: Role::Admin,
        team: None,
        groups: vec![("100%_admins".to_owned(), None)],
    }];
    let named = async |but: UserId, at| {
        let mut names = store.givers(&wanted, &[but], at, 3).await.unwrap();
        names.sort();
        names
    };
    assert_eq!(named(lena, start()).await, ["Alma", "Omar"]);
    assert_eq!(named(alma, start()).await, ["Omar"]);
    assert_eq!(named(lena, after(60)).await, ["Alma"], "Omar's has ended");
    let elsewhere = [Giver {
        groups: vec![(
            "100%_admins".to_owned(),
            Some("https://another.example".to_owned()),
        )],
        ..wanted[0].clone()
    }];
    let named = store.givers(&elsewhere, &[lena], start(), 3).await.unwrap();
    assert_eq!(
        named,
        ["Omar"],
        "another provider's group of that name is another group"
    );
    let called = async |name: &str| store.people_called(name).await.unwrap();
    assert_eq!(called("OMAR").await, [omar]);
    assert_eq!(called("lena@example.org").await, [lena]);
    assert_eq!(called("om").await, []);
    let oemer = signed_in(&db, "Ömer", &[]).await;
    assert_eq!(called("Ömer").await, [oemer]);
}

async fn sessions_end_there(db: Database) {
    let store = &db.store;
    let (maria, otto) = (
        signed_in(&db, "Maria", &[]).await,
        signed_in(&db, "Otto", &[]).await,
    );
    let issuer = "https://login.example.org";
    let meant = async |subject, there| {
        let found = store.signed_in_there(issuer, subject, there).await.unwrap();
        found.map(|(id, _)| id)
    };
    for (hash, user, there) in [
        ("a", maria, "one"),
        ("b", maria, "two"),
        ("c", maria, ""),
        ("d", otto, "three"),
    ] {
        let user = Some(user);
        store
            .session_insert(hash, hash, user, there, after(90), start())
            .await
            .unwrap();
    }
    assert_eq!(meant(Some("maria"), None).await, Some(maria));
    assert_eq!(meant(None, Some("three")).await, Some(otto));
    assert_eq!(meant(None, Some("never")).await, None);
    assert_eq!(meant(Some("nobody"), Some("one")).await, None);
    assert_eq!(meant(None, None).await, None);
    let elsewhere = store
        .signed_in_there("https://evil.example", Some("maria"), None)
        .await;
    assert_eq!(elsewhere.unwrap(), None, "another provider's word");
    let permit = system(
        SystemAction::SIGN_IN,
        Resource::new(Kind::Person, maria, "Maria"),
    );
    let end = async |which| {
        store
            .sessions_end(&permit, maria, which, start())
            .await
            .unwrap()
    };
    // Whether the one without a name is meant, nobody knows.
    assert_eq!(end(Ending::There(Some("one"))).await, 2);
    assert_eq!(end(Ending::There(None)).await, 1);
    assert!(store.session_load("d", start()).await.unwrap().is_some());
}

async fn sessions_end(db: Database) {
    let store = &db.store;
    store
        .session_insert("a", "one", None, "", after(60), start())
        .await
        .unwrap();
    store
        .session_update("a", "two", Some(UserId(mint())), after(90), start())
        .await
        .unwrap();
    store
        .session_insert("b", "three", None, "", after(30), start())
        .await
        .unwrap();
    assert_eq!(
        store.session_load("a", after(89)).await.unwrap().as_deref(),
        Some("two")
    );
    assert_eq!(store.session_load("a", after(90)).await.unwrap(), None);
    assert_eq!(store.sessions_expire(after(40)).await.unwrap(), 1);
    store.session_delete("a").await.unwrap();
    // A request that began before the end of the session does not bring it back.
    store
        .session_update("a", "four", None, after(90), start())
        .await
        .unwrap();
    assert_eq!(store.session_load("a", start()).await.unwrap(), None);
}

async fn tokens_end(db: Database) {
    let world = World::new(db, 3).await;
    let token = TokenRow {
        id: TokenId(mint()),
        hash: "h".repeat(64),
        acts: Acts::Itself {
            user: UserId(mint()),
            grants_json: "[]".to_owned(),
        },
        name: "pipeline".to_owned(),
        made_by: "Slipway".to_owned(),
        created_at: start(),
        expires_at: after(60),
        used_at: None,
        ended_at: None,
        ended_by: String::new(),
        ended_reason: String::new(),
    };
    let permit = system(
        SystemAction::SIGN_IN,
        Resource::new(Kind::Token, token.id, &token.name),
    );
    world.store().token_insert(&permit, &token).await.unwrap();
    assert_eq!(
        world
            .store()
            .token_by_hash(&token.hash, after(59))
            .await
            .unwrap(),
        Some(token.clone())
    );
    assert_eq!(
        world
            .store()
            .token_by_hash(&token.hash, after(60))
            .await
            .unwrap(),
        None
    );
    assert_eq!(
        world
            .store()
            .token_by_hash("another", start())
            .await
            .unwrap(),
        None
    );
    world.store().token_used(token.id, start()).await.unwrap();
    assert!(matches!(
        world.store().token_insert(&permit, &token).await,
        Err(StoreError::Conflict { .. })
    ));

    let store = world.store();
    let other = TokenRow {
        id: TokenId(mint()),
        hash: "i".repeat(64),
        created_at: after(1),
        ..token.clone()
    };
    store.token_insert(&permit, &other).await.unwrap();
    let newest = store.tokens(None, None, 1).await.unwrap();
    assert_eq!(newest.items, std::slice::from_ref(&other));
    let rest = store.tokens(None, newest.next.as_deref(), 1).await.unwrap();
    assert_eq!(rest.items[0].used_at, Some(start()));
    assert_eq!(rest.next, None);

    let end = || store.token_end(&permit, token.id, "It leaked.", after(2));
    end().await.unwrap();
    assert_eq!(
        store.token_by_hash(&token.hash, after(3)).await.unwrap(),
        None,
        "though it has not expired"
    );
    let ended = store.token(token.id).await.unwrap();
    assert_eq!(
        (ended.ended_at, ended.ended_reason.as_str()),
        (Some(after(2)), "It leaked.")
    );
    assert!(matches!(end().await, Err(StoreError::Conflict { .. })));
    let left = store.token_by_hash(&other.hash, after(3)).await.unwrap();
    assert_eq!(left, Some(other));
}

async fn tokens_act_for_somebody(db: Database) {
    let world = World::new(db, 3).await;
    let store = world.store();
    let robot = UserId(mint());
    let permit = system(
        SystemAction::SIGN_IN,
        Resource::new(Kind::Person, robot, "Robot"),
    );
    let account = |id, name| store.service_account(&permit, id, name, "It releases.", start());
    account(robot, "Robot").await.unwrap();
    let twice = account(UserId(mint()), "robot").await;
    assert!(
        matches!(twice, Err(StoreError::Duplicate { field: "name", .. })),
        "{twice:?}"
    );
    let now = store.person_now(robot, start()).await.unwrap().unwrap();
    assert_eq!((now.kind, now.grants), (PersonKind::Service, Vec::new()));

    let token = |number: usize, expires_at| TokenRow {
        id: TokenId(mint()),
        hash: format!("{number:064}"),
        acts: Acts::For {
            holder: Holder {
                id: robot,
                name: "Robot".to_owned(),
            },
            reach: TokenReach::Read,
        },
        name: format!("pipeline {number}"),
        made_by: "Omar".to_owned(),
        created_at: start(),
        expires_at,
        used_at: None,
        ended_at: None,
        ended_by: String::new(),
        ended_reason: String::new(),
    };
    // What has expired does not count.
    let old = token(100, start());
    store.token_insert(&permit, &old).await.unwrap();
    for number in 0..50 {
        let token = token(number, after(60));
        store.token_insert(&permit, &token).await.unwrap();
        let found = store.token_by_hash(&token.hash, start()).await.unwrap();
        assert_eq!(found, Some(token));
    }
    let too_many = store.token_insert(&permit, &token(50, after(60))).await;
    assert!(
        matches!(too_many, Err(StoreError::Invalid { field: "name", .. })),
        "{too_many:?}"
    );
    let acted = permit.clone().with_request(Request {
        token: Some(old.id),
        ..Request::default()
    });
    let note = AuditNote::new("person.try", "Something was tried", "");
    store.note(&acted, &note, after(1)).await.unwrap();
    let (scope, filter) = (world.everything(), AuditFilter::default());
    let trail = store.audit(&scope, &filter, None, 1).await.unwrap();
    assert_eq!(trail.items[0].token.as_deref(), Some("pipeline 100"));
    let of_robot = store.tokens(Some(robot), None, 100).await.unwrap().items;
    let of_maria = store.tokens(Some(world.maria.user), None, 100).await;
    assert_eq!((of_robot.len(), of_maria.unwrap().items), (51, Vec::new()));
}
