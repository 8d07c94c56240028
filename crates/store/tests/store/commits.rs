//! What a commit refuses, and that it then writes nothing.

use domain::{
    id::JobId,
    rollout::{BakeWhilePaused, Event, RolloutState},
};
use policy::Action;
use store::StoreError;
use testkit::{Database, World, on_each_database, permit};

use crate::is_conflict;

on_each_database!(
    a_stale_revision_is_refused,
    a_stale_decision_is_refused,
    a_permit_for_another_rollout_is_refused,
    two_commits_at_once_make_one,
    a_job_is_observed_once,
);

async fn a_stale_revision_is_refused(db: Database) {
    let world = World::new(db, 3).await;
    let id = world.released("1.1.0").await;
    let old = world.load(id).await;
    let pause = Event::Pause {
        reason: "lunch".parse().unwrap(),
        bake: BakeWhilePaused::Runs,
    };
    world
        .act(&world.omar, Action::Pause, id, pause.clone())
        .await
        .unwrap();
    let events = world
        .store()
        .audit_total(&world.everything())
        .await
        .unwrap();

    let change = world.applied(old.rollout.clone(), pause, &world.omar);
    let permit = permit(&world.omar, Action::Pause, world.resource(&old));
    let refused = world
        .commit(&permit, old.revision, &change, None, &[])
        .await;
    assert!(
        refused
            .as_ref()
            .unwrap_err()
            .to_string()
            .starts_with("The rollout of checkout 1.1.0 to production was changed"),
        "{refused:?}"
    );
    assert!(is_conflict(&refused));
    assert_eq!(
        world
            .store()
            .audit_total(&world.everything())
            .await
            .unwrap(),
        events,
        "nothing is written"
    );
}

async fn a_stale_decision_is_refused(db: Database) {
    let world = World::new(db, 3).await;
    let id = world.request("1.1.0").await;
    let loaded = world.load(id).await;
    let permit = permit(
        &world.ada,
        Action::Approve,
        world
            .resource(&loaded)
            .at_version(loaded.rollout.decision_version - 1),
    );
    let change = world.applied(loaded.rollout, Event::Approve, &world.ada);
    assert!(is_conflict(
        &world
            .commit(&permit, loaded.revision, &change, None, &[])
            .await
    ));
    assert_eq!(
        world.load(id).await.rollout.state,
        RolloutState::AwaitingApproval
    );
}

async fn a_permit_for_another_rollout_is_refused(db: Database) {
    let world = World::new(db, 3).await;
    let (id, other) = (world.request("1.1.0").await, world.request("1.2.0").await);
    let (loaded, other) = (world.load(id).await, world.load(other).await);
    let permit = permit(&world.ada, Action::Approve, world.resource(&other));
    let change = world.applied(loaded.rollout, Event::Approve, &world.ada);
    let refused = world
        .commit(&permit, loaded.revision, &change, None, &[])
        .await;
    assert!(
        matches!(refused, Err(StoreError::Defect { .. })),
        "{refused:?}"
    );
}

async fn two_commits_at_once_make_one(db: Database) {
    let world = World::new(db, 3).await;
    let id = world.request("1.1.0").await;
    let loaded = world.load(id).await;
    let permit = permit(&world.ada, Action::Approve, world.resource(&loaded));
    let change = world.applied(loaded.rollout, Event::Approve, &world.ada);
    let commit = || world.commit(&permit, loaded.revision, &change, None, &[]);
    let (one, two, three) = tokio::join!(commit(), commit(), commit());
    let done = [one, two, three];
    assert_eq!(
        done.iter().filter(|result| result.is_ok()).count(),
        1,
        "{done:?}"
    );
    assert_eq!(done.iter().filter(|result| is_conflict(result)).count(), 2);
}

async fn a_job_is_observed_once(db: Database) {
    let world = World::new(db, 3).await;
    let id = world.released("1.1.0").await;
    let job = world.work_off("1.1.0").await;
    let loaded = world.load(id).await;
    let permit = permit(&world.omar, Action::Pause, world.resource(&loaded));
    let change = world.applied(
        loaded.rollout,
        Event::Pause {
            reason: "lunch".parse().unwrap(),
            bake: BakeWhilePaused::Runs,
        },
        &world.omar,
    );
    let again = world
        .commit(&permit, loaded.revision, &change, None, &[job])
        .await;
    assert_eq!(
        again,
        Err(StoreError::AlreadyObserved { job }),
        "not a conflict, which would be tried again"
    );
    let nobody = world
        .commit(
            &permit,
            loaded.revision,
            &change,
            None,
            &[JobId(testkit::mint())],
        )
        .await;
    assert!(
        matches!(nobody, Err(StoreError::NotFound { .. })),
        "{nobody:?}"
    );
    assert_eq!(world.load(id).await.rollout.state, RolloutState::Running);
}
