//! What a scope hides, and pages under cursors of every kind.

use domain::id::{JobId, RolloutId, ServiceId};
use store::{AuditFilter, RolloutFilter, StoreError};
use testkit::{Database, World, mint, on_each_database};

on_each_database!(
    other_teams_rows_are_hidden,
    a_scope_of_no_team_sees_nothing,
    pages_are_stable_under_inserts,
    filters_narrow,
    made_up_cursors_are_refused,
    missing_things_are_named
);

fn is_missing<T>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::NotFound { .. }))
}

async fn other_teams_rows_are_hidden(db: Database) {
    let world = World::new(db, 3).await;
    let id = world.released("1.1.0").await;
    let job = world.work_off("1.1.0").await;
    world.work_off("1.1.0").await;
    let reason = "enough".parse().unwrap();
    world
        .act(
            &world.omar,
            policy::Action::Abort,
            id,
            domain::rollout::Event::Abort { reason },
        )
        .await
        .unwrap();
    let (store, filter) = (world.store(), RolloutFilter::default());

    for (subject, sees) in [
        (&world.maria, true),
        (&world.otto, false),
        (&world.omar, true),
    ] {
        let (scope, name) = (world.scope_of(subject), &subject.name);
        let many = |rows: usize| assert_eq!(rows > 0, sees, "{name}");
        let one = |missing: bool| assert_eq!(!missing, sees, "{name}");
        one(is_missing(store.rollout(&scope, id).await));
        one(is_missing(store.service(&scope, "checkout").await));
        one(is_missing(
            store.service_by_id(&scope, world.service.id).await,
        ));
        one(is_missing(
            store.service_row(&scope, world.service.id).await,
        ));
        one(is_missing(store.job(&scope, job).await));
        one(store.newest_attempt(&scope, job).await.unwrap().is_none());
        one(store
            .teams(&scope)
            .await
            .unwrap()
            .iter()
            .all(|team| team.id != world.team.id));
        many(store.services(&scope, None, 10).await.unwrap().items.len());
        many(store.services_all(&scope).await.unwrap().len());
        many(
            store
                .rollouts(&scope, &filter, None, 10)
                .await
                .unwrap()
                .items
                .len(),
        );
        many(
            store
                .host_cells(&scope, id, None, None, 10)
                .await
                .unwrap()
                .items
                .len(),
        );
        many(store.host_counts(&scope, id).await.unwrap().len());
        many(store.jobs(&scope, id).await.unwrap().len());
        many(store.jobs_page(&scope, None, 10).await.unwrap().items.len());
        many(store.job_hosts(&scope, job).await.unwrap().len());
        many(
            store
                .deployments(&scope, testkit::start(), 10)
                .await
                .unwrap()
                .len(),
        );
        let about = AuditFilter {
            object: Some(("job".to_owned(), job.to_string())),
        };
        many(
            store
                .audit(&scope, &about, None, 10)
                .await
                .unwrap()
                .items
                .len(),
        );
        assert_eq!(
            store.environments(&scope).await.unwrap().len(),
            1,
            "environments belong to no team"
        );
    }
    let own_team = world
        .store()
        .audit(
            &world.scope_of(&world.otto),
            &AuditFilter::default(),
            None,
            100,
        )
        .await
        .unwrap();
    assert!(
        own_team
            .items
            .iter()
            .all(|event| event.object_id == world.other_team.id.to_string())
    );
}

async fn a_scope_of_no_team_sees_nothing(db: Database) {
    let world = World::new(db, 3).await;
    world.request("1.1.0").await;
    let nobody = policy::Subject {
        grants: vec![testkit::grant(
            policy::Role::Member,
            Some(domain::id::TeamId(mint())),
        )],
        ..world.maria.clone()
    };
    let scope = world.scope_of(&nobody);
    assert!(
        world
            .store()
            .rollouts(&scope, &RolloutFilter::default(), None, 10)
            .await
            .unwrap()
            .items
            .is_empty()
    );
    assert!(world.store().teams(&scope).await.unwrap().is_empty());
}

async fn pages_are_stable_under_inserts(db: Database) {
    let world = World::new(db, 3).await;
    let mut made = Vec::new();
    for number in 0..9 {
        // Three at a time share one moment: the id decides among them.
        if number % 3 == 0 {
            world.clock.advance_seconds(1);
        }
        made.push(world.request(&format!("1.{number}.0")).await);
    }
    let (mut cursor, mut seen) = (None, Vec::new());
    loop {
        let page = world
            .store()
            .rollouts(
                &world.scope_of(&world.maria),
                &RolloutFilter::default(),
                cursor.as_deref(),
                2,
            )
            .await
            .unwrap();
        world.request("9.9.9").await;
        assert!(page.items.iter().all(|row| row.batches.len() == 3));
        seen.extend(page.items.into_iter().map(|row| row.id));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    made.reverse();
    assert_eq!(seen, made, "newest first, none twice, none lost");
    let jobs = world
        .store()
        .jobs_page(&world.everything(), None, 10)
        .await
        .unwrap();
    assert_eq!((jobs.items.len(), jobs.next), (0, None));
}

async fn filters_narrow(db: Database) {
    let world = World::new(db, 3).await;
    let released = world.released("1.1.0").await;
    world.request("1.2.0").await;
    let ids = async |filter: RolloutFilter| -> Vec<RolloutId> {
        world
            .store()
            .rollouts(&world.everything(), &filter, None, 10)
            .await
            .unwrap()
            .items
            .into_iter()
            .map(|row| row.id)
            .collect()
    };
    assert_eq!(
        ids(RolloutFilter {
            state: Some("running".to_owned()),
            ..RolloutFilter::default()
        })
        .await,
        [released]
    );
    assert_eq!(
        ids(RolloutFilter {
            service: Some(world.service.id),
            environment: Some(world.environment.id),
            state: None
        })
        .await
        .len(),
        2
    );
    assert!(
        ids(RolloutFilter {
            service: Some(ServiceId(mint())),
            ..RolloutFilter::default()
        })
        .await
        .is_empty()
    );
    assert!(
        ids(RolloutFilter {
            state: Some("no'such\u{1}".to_owned()),
            ..RolloutFilter::default()
        })
        .await
        .is_empty()
    );
}

async fn made_up_cursors_are_refused(db: Database) {
    let world = World::new(db, 3).await;
    let (store, scope, id) = (
        world.store(),
        world.everything(),
        world.request("1.1.0").await,
    );
    let (filter, none) = (RolloutFilter::default(), AuditFilter::default());
    // Not base64, not JSON, another shape, SQL, NUL, numbers too large: `["\u0000","x"]`, `[1e400,"x"]` and the like.
    let long = "A".repeat(100_000);
    for cursor in [
        "",
        "!",
        "%00",
        "bnVsbA",
        "W10",
        "WyJcdTAwMDAiLCJ4Il0",
        "WzFlNDAwLCJ4Il0",
        "JyBPUiAxPTEgLS0",
        "ezF9",
        "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkw",
        &long,
        "ü",
    ] {
        let cursor = Some(cursor);
        let refused = [
            store.rollouts(&scope, &filter, cursor, 10).await.err(),
            store.services(&scope, cursor, 10).await.err(),
            store
                .hosts(&scope, world.environment.id, cursor, 10)
                .await
                .err(),
            store.host_cells(&scope, id, None, cursor, 10).await.err(),
            store.jobs_page(&scope, cursor, 10).await.err(),
            store.audit(&scope, &none, cursor, 10).await.err(),
        ];
        for error in refused {
            assert!(
                matches!(
                    error,
                    Some(StoreError::Invalid {
                        field: "cursor",
                        ..
                    })
                ),
                "{cursor:?}: {error:?}"
            );
        }
    }
    assert_eq!(
        store
            .rollouts(&scope, &filter, None, 0)
            .await
            .unwrap()
            .items
            .len(),
        1,
        "a page has at least one row"
    );
    assert_eq!(
        store
            .rollouts(&scope, &filter, None, u32::MAX)
            .await
            .unwrap()
            .items
            .len(),
        1
    );
}

async fn missing_things_are_named(db: Database) {
    let world = World::new(db, 3).await;
    let missing = world
        .store()
        .service(&world.everything(), "nowhere")
        .await
        .unwrap_err();
    assert!(
        missing
            .to_string()
            .starts_with("The service “nowhere” does not exist, or you may not see it."),
        "{missing}"
    );
    assert!(is_missing(
        world
            .store()
            .rollout(&world.everything(), RolloutId(mint()))
            .await
    ));
    assert!(is_missing(
        world.store().job(&world.everything(), JobId(mint())).await
    ));
    assert!(is_missing(
        world
            .store()
            .environment(&world.everything(), "nowhere")
            .await
    ));
    assert!(is_missing(
        world
            .store()
            .environment_by_id(&world.everything(), domain::id::EnvironmentId(mint()))
            .await
    ));
    // PostgreSQL cannot hold this character; SQLite finds nothing.
    assert!(
        world
            .store()
            .service(&world.everything(), "a\0b")
            .await
            .is_err()
    );
}
