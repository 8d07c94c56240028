//! What a commit refuses, and that it then writes nothing.

use domain::{
    change_request::ChangeRequestEvent,
    host::HostPhase,
    id::JobId,
    rollout::{BakeWhilePaused, Event, RolloutState},
};
use policy::{Action, Resource};
use store::{AuditFilter, StoreError};
use testkit::{Database, World, on_each_database, permit};

on_each_database!(
    a_stale_revision_is_refused,
    a_stale_decision_is_refused,
    a_permit_for_another_rollout_is_refused,
    two_commits_at_once_make_one,
    a_held_host_is_refused,
    a_job_is_observed_once,
    the_requester_cannot_be_the_approver,
    one_key_makes_one_rollout,
    a_queued_job_that_is_cancelled_leaves_hosts_as_they_were,
);

fn is_conflict(result: Result<(), StoreError>) -> bool {
    matches!(result, Err(StoreError::Conflict { .. }))
}

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
    let events = world.store().audit_total().await.unwrap();

    let change = world.applied(old.rollout.clone(), pause, &world.omar);
    let permit = permit(&world.omar, Action::Pause, world.resource(&old));
    let refused = world
        .commit(&permit, old.revision, &change, None, None)
        .await;
    assert!(
        refused
            .as_ref()
            .unwrap_err()
            .to_string()
            .starts_with("The rollout of checkout 1.1.0 to production was changed"),
        "{refused:?}"
    );
    assert!(is_conflict(refused));
    assert_eq!(
        world.store().audit_total().await.unwrap(),
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
        world
            .commit(&permit, loaded.revision, &change, None, None)
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
        .commit(&permit, loaded.revision, &change, None, None)
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
    let commit = || world.commit(&permit, loaded.revision, &change, None, None);
    let (one, two, three) = tokio::join!(commit(), commit(), commit());
    let done = [one, two, three];
    assert_eq!(
        done.iter().filter(|result| result.is_ok()).count(),
        1,
        "{done:?}"
    );
    assert_eq!(
        done.into_iter()
            .filter(|result| is_conflict(result.clone()))
            .count(),
        2
    );
}

async fn a_held_host_is_refused(db: Database) {
    let world = World::new(db, 3).await;
    let first = world.released("1.1.0").await;
    let second = world.request("1.2.0").await;
    world
        .act(&world.ada, Action::Approve, second, Event::Approve)
        .await
        .unwrap();
    let refused = world
        .act(&world.omar, Action::Release, second, Event::Release)
        .await
        .unwrap_err();
    assert_eq!(
        refused,
        StoreError::Reserved {
            host: "web-00001".to_owned(),
            rollout: "checkout 1.1.0 to production".to_owned()
        }
    );
    assert_eq!(
        world.load(second).await.rollout.state,
        RolloutState::Scheduled,
        "nothing is half-written"
    );
    assert_eq!(
        world
            .store()
            .jobs(&world.everything(), second)
            .await
            .unwrap(),
        []
    );

    world
        .act(
            &world.omar,
            Action::Abort,
            first,
            Event::Abort {
                reason: "make room".parse().unwrap(),
            },
        )
        .await
        .unwrap();
    let job = world.store().finished_jobs(10).await.unwrap().remove(0);
    world
        .observe(
            first,
            Event::JobFinished {
                job: job.job,
                report: job.report,
            },
        )
        .await
        .unwrap();
    assert!(matches!(
        world.load(first).await.rollout.state,
        RolloutState::Aborted { .. }
    ));
    world
        .act(&world.omar, Action::Release, second, Event::Release)
        .await
        .unwrap();
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
    assert!(
        is_conflict(
            world
                .commit(&permit, loaded.revision, &change, None, Some(job))
                .await
        ),
        "it was taken into account already"
    );
    assert!(is_conflict(
        world
            .commit(
                &permit,
                loaded.revision,
                &change,
                None,
                Some(JobId(testkit::mint()))
            )
            .await
    ));
    assert_eq!(world.load(id).await.rollout.state, RolloutState::Running);
}

/// Policy and state machine refuse this first; the database does when both are wrong.
async fn the_requester_cannot_be_the_approver(db: Database) {
    let world = World::new(db, 3).await;
    let id = world.request("1.1.0").await;
    let loaded = world.load(id).await;
    let request = loaded.change_request.clone().unwrap();
    let approved = request
        .apply(
            ChangeRequestEvent::Approve {
                digest: loaded.rollout.digest.clone(),
            },
            &domain::audit::Actor::System,
            world.clock.now(),
        )
        .unwrap();
    let mut both = world.omar.clone();
    both.grants
        .push(testkit::grant(policy::Role::Approver, None));
    // The resource conceals who requested it.
    let permit = permit(
        &both,
        Action::Approve,
        Resource::new("rollout", id, "concealed"),
    );
    let change = world.applied(loaded.rollout, Event::Approve, &both);
    let refused = world
        .commit(&permit, loaded.revision, &change, Some(&approved), None)
        .await
        .unwrap_err();
    assert!(
        refused.to_string().contains("requester_is_not_approver"),
        "{refused}"
    );
    assert_eq!(
        world.load(id).await.rollout.state,
        RolloutState::AwaitingApproval
    );
    let direct = world
        .db
        .try_run("UPDATE change_requests SET approved_by = requested_by")
        .await;
    assert!(direct.is_err());
}

async fn one_key_makes_one_rollout(db: Database) {
    let world = World::new(db, 3).await;
    let first = world.request_once("1.1.0", Some("form-1")).await.unwrap();
    let events = world.store().audit_total().await.unwrap();
    assert_eq!(
        world.request_once("1.1.0", Some("form-1")).await.unwrap(),
        first
    );
    assert_eq!(world.store().audit_total().await.unwrap(), events);
    assert_ne!(
        world.request_once("1.1.0", Some("form-2")).await.unwrap(),
        first
    );
    assert_ne!(world.request("1.1.0").await, first);
    assert_ne!(
        world.request("1.1.0").await,
        first,
        "no key makes a rollout each time"
    );
    let (one, two) = tokio::join!(
        world.request_once("1.2.0", Some("double click")),
        world.request_once("1.2.0", Some("double click"))
    );
    assert_eq!(one.unwrap(), two.unwrap());
    let filter = AuditFilter {
        object: Some(("rollout".to_owned(), first.to_string())),
    };
    assert_eq!(
        world
            .store()
            .audit(&world.everything(), &filter, None, 10)
            .await
            .unwrap()
            .items
            .len(),
        1
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
        Resource::new("job", job.id, "the deploy"),
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
    assert_eq!(
        world
            .store()
            .claim(
                &world.worker_permit(),
                "w1",
                domain::id::AttemptId(testkit::mint()),
                world.clock.now(),
                world.clock.now()
            )
            .await
            .unwrap(),
        None
    );
    assert_eq!(
        world.store().finished_jobs(10).await.unwrap()[0].job,
        job.id
    );
    assert!(
        is_conflict(
            world
                .store()
                .job_cancel(&permit, job.id, "again", world.clock.now())
                .await
        ),
        "it has ended"
    );
    assert_eq!(
        world
            .store()
            .job(&world.everything(), job.id)
            .await
            .unwrap()
            .message,
        "wrong version"
    );
}
