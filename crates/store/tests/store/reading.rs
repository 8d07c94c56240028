//! What a scope hides.

use domain::id::{JobId, RolloutId};
use store::{AuditFilter, JobFilter, RolloutFilter, StoreError};
use testkit::{Database, World, mint, on_each_database};

on_each_database!(
    other_teams_rows_are_hidden,
    a_scope_of_no_team_sees_nothing,
    missing_things_are_named,
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
        let hosts: Vec<_> = world.hosts.iter().map(|host| host.id).collect();
        many(store.installed(&scope, &hosts).await.unwrap().len());
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
        many(
            store
                .jobs_page(&scope, &JobFilter::default(), None, 10)
                .await
                .unwrap()
                .items
                .len(),
        );
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
            ..AuditFilter::default()
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
        selves: vec![],
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
    // PostgreSQL cannot hold this character; SQLite finds nothing.
    assert!(
        world
            .store()
            .service(&world.everything(), "a\0b")
            .await
            .is_err()
    );
}
