//! Pages under cursors of every kind.

use domain::{
    attempt::AttemptState,
    id::{EnvironmentId, RolloutId, ServiceId},
    rollout::Event,
    verdict::Outcome,
};
use store::{AuditFilter, JobFilter, RolloutFilter, Standing, StoreError};
use testkit::{Database, World, mint, on_each_database};

use crate::verdict;

on_each_database!(
    pages_are_stable_under_inserts,
    filters_narrow,
    jobs_are_narrowed,
    the_trail_of_a_rollout_has_its_jobs,
    made_up_cursors_are_refused,
);

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
        world.request(&format!("9.9.{}", seen.len())).await;
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
        .jobs_page(&world.everything(), &JobFilter::default(), None, 10)
        .await
        .unwrap();
    assert_eq!((jobs.items.len(), jobs.next), (0, None));
}

async fn filters_narrow(db: Database) {
    let world = World::new(db, 3).await;
    let released = world.released("1.1.0").await;
    let requested = world.request("1.2.0").await;
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
            standing: Some(Standing::In("running".to_owned())),
            ..RolloutFilter::default()
        })
        .await,
        [released]
    );
    let waiting = || RolloutFilter {
        standing: Some(Standing::Waiting),
        ..RolloutFilter::default()
    };
    assert_eq!(ids(waiting()).await, [requested], "nobody approved it yet");
    world.work_off("1.1.0").await;
    world.work_off("1.1.0").await;
    world.clock.advance_seconds(30 * 86_400);
    let verdict = verdict(&world, Outcome::Marginal);
    let judged = Event::Judged { batch: 1, verdict };
    world.observe(released, judged).await.unwrap();
    assert_eq!(
        ids(waiting()).await,
        [requested, released],
        "it stands at its gate"
    );
    assert_eq!(
        ids(RolloutFilter {
            service: Some(world.service.id),
            environment: Some(world.environment.id),
            ..RolloutFilter::default()
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
            standing: Some(Standing::In("no'such\u{1}".to_owned())),
            ..RolloutFilter::default()
        })
        .await
        .is_empty()
    );
}

async fn jobs_are_narrowed(db: Database) {
    let world = World::new(db, 3).await;
    world.released("1.1.0").await;
    world.work_off("1.1.0").await;
    let all = JobFilter::default();
    let states = async |filter: JobFilter| -> Vec<AttemptState> {
        let (store, scope) = (world.store(), world.everything());
        let page = store.jobs_page(&scope, &filter, None, 10).await.unwrap();
        page.items.into_iter().map(|row| row.state).collect()
    };
    let found = states(all.clone()).await;
    assert!(found.contains(&AttemptState::Succeeded), "{found:?}");
    assert!(found.contains(&AttemptState::Queued), "{found:?}");
    for (filter, expected) in [
        (
            JobFilter {
                service: Some(world.service.id),
                environment: Some(world.environment.id),
                states: Some(vec![AttemptState::Queued, AttemptState::Running]),
            },
            vec![AttemptState::Queued],
        ),
        (
            JobFilter {
                states: Some(vec![AttemptState::Unknown]),
                ..all.clone()
            },
            vec![],
        ),
        (
            JobFilter {
                service: Some(ServiceId(mint())),
                ..all.clone()
            },
            vec![],
        ),
        (
            JobFilter {
                environment: Some(EnvironmentId(mint())),
                ..all.clone()
            },
            vec![],
        ),
    ] {
        assert_eq!(states(filter.clone()).await, expected, "{filter:?}");
    }
}

async fn the_trail_of_a_rollout_has_its_jobs(db: Database) {
    let world = World::new(db, 3).await;
    let rollout = world.released("1.1.0").await;
    world.work_off("1.1.0").await;
    let kinds = async |rollout: RolloutId, with_jobs: bool| -> Vec<String> {
        let filter = AuditFilter {
            object: Some(("rollout".to_owned(), rollout.to_string())),
            with_jobs,
            ..AuditFilter::default()
        };
        let (store, scope) = (world.store(), world.everything());
        let page = store.audit(&scope, &filter, None, 100).await.unwrap();
        page.items.into_iter().map(|row| row.object_kind).collect()
    };
    let (alone, all) = (kinds(rollout, false).await, kinds(rollout, true).await);
    assert!(alone.iter().all(|kind| kind == "rollout"), "{alone:?}");
    assert!(all.iter().any(|kind| kind == "job"), "{all:?}");
    let jobs = all.iter().filter(|kind| *kind == "job").count();
    assert_eq!(all.len(), alone.len() + jobs);
    let other = world.request("1.2.0").await;
    assert!(!kinds(other, true).await.contains(&"job".to_owned()));
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
            store
                .jobs_page(&scope, &JobFilter::default(), cursor, 10)
                .await
                .err(),
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
