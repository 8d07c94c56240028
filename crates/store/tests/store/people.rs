//! People, sessions, tokens.

use domain::{
    SignedDuration, Timestamp,
    id::{TokenId, UserId},
};
use policy::{Kind, Resource, SystemAction};
use store::{Person, StoreError, TokenRow};
use testkit::{Database, World, mint, on_each_database, start, system};

on_each_database!(a_person_keeps_their_id, sessions_end, tokens_end);

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
        user: UserId(mint()),
        name: "pipeline".to_owned(),
        grants_json: "[]".to_owned(),
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
    let newest = store.tokens(None, 1).await.unwrap();
    assert_eq!(newest.items, std::slice::from_ref(&other));
    let rest = store.tokens(newest.next.as_deref(), 1).await.unwrap();
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
