//! Jobs that are cancelled, never start, or outlive their worker.

use domain::{attempt::AttemptState, host::HostPhase, job::JobEnd};
use policy::{Action, Kind, Resource};
use store::{AuditFilter, CancelWish};
use testkit::{Database, World, on_each_database, permit};
use view::job::JobCancelled;

use crate::{claim, is_conflict, report, running};

on_each_database!(
    a_restarted_worker_finds_its_attempts,
    a_queued_job_that_is_cancelled_leaves_hosts_as_they_were,
    a_cancelled_job_is_not_queued_again,
    a_job_that_could_not_start_leaves_hosts_as_they_were,
);

async fn a_restarted_worker_finds_its_attempts(db: Database) {
    let world = World::new(db, 3).await;
    let (id, claimed) = running(&world).await;
    let open = world.store().open_attempts().await.unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!(
        (
            open[0].attempt.id,
            open[0].attempt.state,
            open[0].rollout,
            open[0].cancel_asked
        ),
        (
            claimed.attempt.id,
            AttemptState::Running,
            id,
            CancelWish::None
        )
    );
    let permit = permit(
        &world.omar,
        Action::CancelJob,
        Resource::new(Kind::Job, claimed.job, "the deploy"),
    );
    world
        .store()
        .job_cancel(&permit, claimed.job, "wrong version", world.clock.now())
        .await
        .unwrap();
    assert_eq!(
        world.store().open_attempts().await.unwrap()[0].cancel_asked,
        CancelWish::Asked
    );
    let row = world.store().job(&world.everything(), claimed.job).await;
    let row = row.unwrap();
    assert_eq!(
        row.state,
        AttemptState::Cancelling,
        "also before its worker has heard of it"
    );
    assert_eq!(
        row.cancelled,
        Some(JobCancelled {
            by: world.omar.name.clone(),
            reason: "wrong version".to_owned(),
            at: world.clock.now(),
        })
    );
    assert!(
        is_conflict(
            &world
                .store()
                .job_cancel(&permit, claimed.job, "me too", world.clock.now())
                .await
        ),
        "one person asks, and the others are told who"
    );
    let about = AuditFilter {
        object: Some(("rollout".to_owned(), id.to_string())),
        with_jobs: true,
        ..AuditFilter::default()
    };
    let all = world.everything();
    let event = world.store().audit(&all, &about, None, 1);
    let event = event.await.unwrap().items.remove(0);
    assert_eq!(event.object_id, claimed.job.to_string());
    assert_eq!(
        (event.summary.as_str(), event.reason.as_str()),
        (
            "The deployment of batch 1 was asked to stop",
            "wrong version"
        )
    );
}

async fn a_queued_job_that_is_cancelled_leaves_hosts_as_they_were(db: Database) {
    let world = World::new(db, 3).await;
    let id = world.released("1.1.0").await;
    let job = world
        .store()
        .jobs(&world.everything(), id)
        .await
        .unwrap()
        .remove(0);
    let permit = permit(
        &world.omar,
        Action::CancelJob,
        Resource::new(Kind::Job, job.id, "the deploy"),
    );
    world
        .store()
        .job_cancel(&permit, job.id, "wrong version", world.clock.now())
        .await
        .unwrap();
    assert_eq!(
        world
            .store()
            .host_counts(&world.everything(), id)
            .await
            .unwrap()[0],
        (1, HostPhase::Pending, 1)
    );
    assert_eq!(claim(&world, "w1").await, None);
    assert_eq!(
        world.store().finished_jobs(10).await.unwrap()[0].job,
        job.id
    );
    assert!(
        is_conflict(
            &world
                .store()
                .job_cancel(&permit, job.id, "again", world.clock.now())
                .await
        ),
        "it has ended"
    );
    let row = world
        .store()
        .job(&world.everything(), job.id)
        .await
        .unwrap();
    assert_eq!(row.message, "It was cancelled before it began.");
    assert_eq!(row.cancelled.unwrap().reason, "wrong version");
}

async fn a_cancelled_job_is_not_queued_again(db: Database) {
    let world = World::new(db, 3).await;
    let id = world.released("1.1.0").await;
    let claimed = claim(&world, "w1").await.unwrap();
    let permit = permit(
        &world.omar,
        Action::CancelJob,
        Resource::new(Kind::Job, claimed.job, "the deploy"),
    );
    world
        .store()
        .job_cancel(&permit, claimed.job, "wrong version", world.clock.now())
        .await
        .unwrap();
    world
        .store()
        .attempt_requeue(
            &world.worker_permit(),
            claimed.attempt.id,
            claimed.attempt.fencing,
            world.clock.now(),
        )
        .await
        .unwrap();
    assert_eq!(claim(&world, "w1").await, None);
    assert_eq!(
        world.store().finished_jobs(10).await.unwrap()[0].report,
        report(JobEnd::Cancelled)
    );
    assert_eq!(
        world
            .store()
            .host_counts(&world.everything(), id)
            .await
            .unwrap()[0],
        (1, HostPhase::Pending, 1)
    );
}

async fn a_job_that_could_not_start_leaves_hosts_as_they_were(db: Database) {
    let world = World::new(db, 3).await;
    let (id, claimed) = running(&world).await;
    let end = JobEnd::CouldNotStart {
        message: "ansible-playbook is not installed".to_owned(),
    };
    let attempt = claimed.attempt;
    world
        .finish(
            attempt.id,
            attempt.fencing,
            AttemptState::Failed,
            &report(end),
        )
        .await
        .unwrap();
    assert_eq!(
        world
            .store()
            .host_counts(&world.everything(), id)
            .await
            .unwrap()[0],
        (1, HostPhase::Pending, 1)
    );
    assert!(world.store().open_attempts().await.unwrap().is_empty());
}
