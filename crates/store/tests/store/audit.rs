//! The audit trail and the outbox.

use domain::{
    SignedDuration,
    audit::{AuditNote, Request},
    rollout::NoticeKind,
};
use policy::{Kind, Resource, SystemAction};
use store::{AuditFilter, StoreError};
use testkit::{Database, World, on_each_database, system};
use uuid::Uuid;
use view::audit::AuditRow;

on_each_database!(
    events_are_append_only,
    events_say_what_changed_and_where_it_came_from,
    events_have_no_gap_and_are_paged,
    events_are_of_the_team,
    events_are_found,
    messages_are_tried_again,
    a_message_that_is_given_up_is_told_of
);

async fn events_are_append_only(db: Database) {
    let world = World::new(db, 3).await;
    for sql in [
        "UPDATE audit_events SET reason = 'rewritten'",
        "DELETE FROM audit_events",
        "UPDATE audit_events SET actor_name = 'x' WHERE seq = 1",
    ] {
        let refused = world.db.try_run(sql).await.unwrap_err();
        assert!(
            refused.to_string().contains("append-only"),
            "{sql}: {refused}"
        );
    }
    assert!(
        world
            .store()
            .audit(&world.everything(), &AuditFilter::default(), None, 100)
            .await
            .unwrap()
            .items
            .iter()
            .all(|event| event.reason != "rewritten")
    );
}

async fn events_say_what_changed_and_where_it_came_from(db: Database) {
    let world = World::new(db, 1).await;
    let request = Request {
        id: Some(Uuid::from_u128(7)),
        address: Some([0x2001, 0xdb8, 0, 0, 0, 0, 0, 7].into()),
        token: None,
    };
    let permit = world.inventory_permit().with_request(request);
    let note = AuditNote::new("environment.try", "Something was tried", "")
        .changed("Same", "as before", "as before")
        .changed("User", "", "deploy")
        .changed("Port", "22", "");
    let now = world.clock.now();
    world.store().note(&permit, &note, now).await.unwrap();
    let events = world
        .store()
        .audit(&world.everything(), &AuditFilter::default(), None, 2)
        .await
        .unwrap()
        .items;
    let of = |row: &AuditRow| (row.request_id.clone(), row.address.clone());
    assert_eq!(
        of(&events[0]),
        (
            "00000000-0000-0000-0000-000000000007".to_owned(),
            "2001:db8::7".to_owned()
        )
    );
    assert_eq!(
        events[0].actor_id,
        permit.actor().person().map(|id| id.to_string())
    );
    assert_eq!(events[0].changes, note.changes);
    assert_eq!(note.changes.len(), 2, "what stayed is no change");
    assert_eq!(of(&events[1]), Default::default());
}

async fn events_have_no_gap_and_are_paged(db: Database) {
    let world = World::new(db, 3).await;
    let permit = world.inventory_permit();
    let writes = (0..20).map(|_| {
        let (store, permit, environment, hosts, now) = (
            world.store().clone(),
            permit.clone(),
            world.environment.id,
            world.hosts.clone(),
            world.clock.now(),
        );
        tokio::spawn(async move {
            store
                .hosts_import(&permit, environment, testkit::inventory(&hosts), now)
                .await
        })
    });
    for write in writes.collect::<Vec<_>>() {
        write.await.unwrap().unwrap();
    }
    let mut cursor = None;
    let mut ids = Vec::new();
    loop {
        let page = world
            .store()
            .audit(
                &world.everything(),
                &AuditFilter::default(),
                cursor.as_deref(),
                7,
            )
            .await
            .unwrap();
        if cursor.is_none() {
            // What is written while somebody reads does not shift their pages.
            world
                .store()
                .hosts_import(
                    &permit,
                    world.environment.id,
                    testkit::inventory(&world.hosts),
                    world.clock.now(),
                )
                .await
                .unwrap();
        }
        ids.extend(page.items.into_iter().map(|event| event.id));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(
        i64::try_from(ids.len()).unwrap(),
        world
            .store()
            .audit_total(&world.everything())
            .await
            .unwrap()
            - 1
    );
    assert!(
        ids.is_sorted_by(|newer, older| newer > older),
        "ids sort by time and number"
    );
}

async fn events_are_of_the_team(db: Database) {
    let world = World::new(db, 3).await;
    let id = world.released("1.1.0").await;
    let filter = AuditFilter {
        object: Some(("rollout".to_owned(), id.to_string())),
        ..AuditFilter::default()
    };
    let all = world
        .store()
        .audit(&world.everything(), &filter, None, 100)
        .await
        .unwrap();
    let own = world
        .store()
        .audit(&world.scope_of(&world.maria), &filter, None, 100)
        .await
        .unwrap();
    let other = world
        .store()
        .audit(&world.scope_of(&world.otto), &filter, None, 100)
        .await
        .unwrap();
    assert_eq!((own, other.items.len()), (all.clone(), 0));
    let total = async |subject| {
        world
            .store()
            .audit_total(&world.scope_of(subject))
            .await
            .unwrap()
    };
    assert!(total(&world.maria).await >= i64::try_from(all.items.len()).unwrap());
    assert_eq!(total(&world.otto).await, 1, "of their team, its making");
    let everything = world
        .store()
        .audit_total(&world.everything())
        .await
        .unwrap();
    assert!(total(&world.maria).await < everything);
}

async fn events_are_found(db: Database) {
    let world = World::new(db, 3).await;
    let first = world.released("1.4.2").await;
    world.clock.advance_seconds(3600);
    let abort = domain::rollout::Event::Abort {
        reason: "Größere Störung in web-00001".parse().unwrap(),
    };
    let action = policy::Action::Abort;
    world.act(&world.maria, action, first, abort).await.unwrap();
    let later = world.clock.now();
    let found = async |filter: AuditFilter| {
        let all = world.everything();
        let events = world.store().audit(&all, &filter, None, 100);
        let mut found: Vec<String> = events
            .await
            .unwrap()
            .items
            .into_iter()
            .map(|event| event.action)
            .collect();
        found.dedup();
        found
    };
    let words = |words: &[&str]| AuditFilter {
        words: words.iter().map(ToString::to_string).collect(),
        ..AuditFilter::default()
    };
    let aborted = ["rollout.abort"];
    for wanted in [
        &["störung"][..],
        &["stör"],
        &["störung", "web", "00001"],
        &["00001", "größ"],
        &["maria", "checkout", "1", "4", "2", "being"],
    ] {
        assert_eq!(found(words(wanted)).await, aborted, "{wanted:?}");
    }
    for nothing in [&["törung"][..], &["maria", "rejected"], &["drop"]] {
        assert!(found(words(nothing)).await.is_empty(), "{nothing:?}");
    }
    let by = |actor: &str| AuditFilter {
        actor: Some(actor.to_owned()),
        ..AuditFilter::default()
    };
    assert!(
        found(by("Maria"))
            .await
            .contains(&"rollout.abort".to_owned())
    );
    assert!(found(by("Mari")).await.is_empty());
    let about = |about: &str| AuditFilter {
        about: Some(about.to_owned()),
        ..AuditFilter::default()
    };
    let rollouts = found(about("rollout")).await;
    assert!(rollouts.iter().all(|action| action.starts_with("rollout.")));
    assert!(rollouts.len() > 2, "{rollouts:?}");
    let since = |since, until| AuditFilter {
        since,
        until,
        ..AuditFilter::default()
    };
    assert_eq!(found(since(Some(later), None)).await, aborted);
    let before = found(since(None, Some(later))).await;
    assert!(!before.is_empty() && !before.contains(&"rollout.abort".to_owned()));
}

async fn messages_are_tried_again(db: Database) {
    let world = World::new(db, 3).await;
    world.released("1.1.0").await;
    let (store, now) = (world.store(), world.clock.now());
    let permit = system(SystemAction::DELIVER, Resource::new(Kind::Worker, "", ""));
    let due = store.outbox_due(now, 10).await.unwrap();
    assert_eq!(
        due.iter()
            .map(|message| message.notice.kind)
            .collect::<Vec<_>>(),
        [NoticeKind::Info, NoticeKind::Success, NoticeKind::Info],
        "it waits for approval, is approved, and starts"
    );
    assert_eq!(
        due[0].notice.title,
        "checkout 1.1.0 to production waits for approval"
    );
    assert_eq!(store.outbox_due(now, 1).await.unwrap(), due[..1]);

    let later = now.checked_add(SignedDuration::from_secs(30)).unwrap();
    store
        .outbox_retry(&permit, due[0].id, later, "503 from the other side")
        .await
        .unwrap();
    for other in &due[1..] {
        store.outbox_done(&permit, other.id, now).await.unwrap();
    }
    assert!(store.outbox_due(now, 10).await.unwrap().is_empty());
    let again = store.outbox_due(later, 10).await.unwrap();
    assert_eq!(
        (again.len(), again[0].id, again[0].tries),
        (1, due[0].id, 1)
    );
    store.outbox_done(&permit, due[0].id, later).await.unwrap();
    assert!(store.outbox_due(later, 10).await.unwrap().is_empty());
    assert!(matches!(
        store.outbox_done(&permit, due[0].id, later).await,
        Err(StoreError::Conflict { .. })
    ));
}

async fn a_message_that_is_given_up_is_told_of(db: Database) {
    let world = World::new(db, 3).await;
    let rollout = world.released("1.1.0").await;
    let (store, now) = (world.store(), world.clock.now());
    let due = store.outbox_due(now, 1).await.unwrap();
    let permit = system(
        SystemAction::DELIVER,
        Resource::new(Kind::Rollout, due[0].rollout, "").of_team(due[0].team),
    );
    store
        .outbox_give_up(&permit, due[0].id, "too old by now", now)
        .await
        .unwrap();
    assert!(!store.outbox_due(now, 10).await.unwrap().contains(&due[0]));
    let about = AuditFilter {
        object: Some(("rollout".to_owned(), rollout.to_string())),
        ..AuditFilter::default()
    };
    let seen = store
        .audit(&world.scope_of(&world.maria), &about, None, 1)
        .await
        .unwrap();
    assert_eq!(
        (seen.items[0].action.as_str(), seen.items[0].reason.as_str()),
        ("message.give_up", "too old by now")
    );
}
