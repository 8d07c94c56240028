//! Claims, leases, fencing numbers.

use domain::{
    attempt::AttemptState,
    host::{HostMark, HostPhase},
    id::AttemptId,
    job::{JobEnd, JobKind},
};
use store::{Claim, Room};
use testkit::{Database, World, mint, on_each_database};

use crate::{claim, is_conflict, report, running};

on_each_database!(
    the_way_back_does_not_wait_for_deploys,
    two_workers_claim_one_job_once,
    late_writes_are_refused,
    progress_is_taken_in_once,
    an_unknown_attempt_can_be_resolved,
    what_ended_is_listed_until_it_is_sealed,
);

async fn the_way_back_does_not_wait_for_deploys(db: Database) {
    let world = World::new(db, 6).await;
    world.released("1.1.0").await;
    let urgent = async || {
        let room = Room {
            deploys: 0,
            ..Room::ONE
        };
        let claimed = world.claim("w1", room).await;
        claimed.map(|claimed| claimed.kind)
    };
    assert_eq!(urgent().await, None, "only a deploy is queued");
    world.work_off("1.1.0").await;
    // The probe finds the old version.
    world.work_off("1.0.0").await;
    assert_eq!(urgent().await, Some(JobKind::RollBack));
}

async fn two_workers_claim_one_job_once(db: Database) {
    let world = World::new(db, 3).await;
    world.released("1.1.0").await;
    let tasks = (0..8).map(|number| {
        let (store, permit, now) = (
            world.store().clone(),
            world.worker_permit(),
            world.clock.now(),
        );
        tokio::spawn(async move {
            let claim = Claim {
                permit: &permit,
                worker: &format!("w{number}"),
                now,
                lease_until: now,
            };
            store.claim(claim, Room::ONE, || AttemptId(mint())).await
        })
    });
    let mut claimed = 0;
    for task in tasks.collect::<Vec<_>>() {
        claimed += task.await.unwrap().unwrap().len();
    }
    assert_eq!(claimed, 1);
}

async fn late_writes_are_refused(db: Database) {
    let world = World::new(db, 3).await;
    world.released("1.1.0").await;
    let (store, permit, now) = (world.store(), world.worker_permit(), world.clock.now());
    let first = claim(&world, "w1").await.unwrap().attempt;
    store
        .attempt_requeue(&permit, first.id, first.fencing, now)
        .await
        .unwrap();
    let second = claim(&world, "w2").await.unwrap().attempt;
    assert_eq!((second.number, second.fencing), (2, first.fencing + 1));

    let done = report(JobEnd::Completed);
    for (attempt, fencing) in [
        (first.id, first.fencing),
        (second.id, first.fencing),
        (first.id, second.fencing),
        (AttemptId(mint()), second.fencing),
    ] {
        assert!(is_conflict(
            &store
                .attempt_state(&permit, attempt, fencing, AttemptState::Running, now)
                .await
        ));
        assert!(is_conflict(
            &store
                .attempt_progress(&permit, attempt, fencing, 10, &[])
                .await
        ));
        assert!(is_conflict(
            &world
                .finish(attempt, fencing, AttemptState::Succeeded, &done)
                .await
        ));
        assert!(is_conflict(
            &store.attempt_requeue(&permit, attempt, fencing, now).await
        ));
        assert!(is_conflict(&store.lease_renew(attempt, fencing, now).await));
    }
    store
        .lease_renew(second.id, second.fencing, now)
        .await
        .unwrap();
    store
        .attempt_state(
            &permit,
            second.id,
            second.fencing,
            AttemptState::Running,
            now,
        )
        .await
        .unwrap();
    world
        .finish(second.id, second.fencing, AttemptState::Succeeded, &done)
        .await
        .unwrap();
    assert!(
        is_conflict(
            &world
                .finish(second.id, second.fencing, AttemptState::Failed, &done)
                .await
        ),
        "it ends once"
    );
    assert!(is_conflict(
        &store
            .attempt_state(
                &permit,
                second.id,
                second.fencing,
                AttemptState::Running,
                now
            )
            .await
    ));
    assert_eq!(
        store
            .newest_attempt(&world.everything(), second.job)
            .await
            .unwrap()
            .unwrap()
            .state,
        AttemptState::Succeeded
    );
}

async fn progress_is_taken_in_once(db: Database) {
    let world = World::new(db, 3).await;
    let (id, claimed) = running(&world).await;
    let version = world.load(id).await;
    let host = version.rollout.plan.batches[0].hosts[0].id;
    let mark = |phase, message: &str| HostMark {
        host,
        phase,
        before: Some("1.0.0".parse().unwrap()),
        observed: None,
        message: message.to_owned(),
    };
    let progress = |offset, marks: Vec<HostMark>| {
        let (world, attempt) = (&world, &claimed.attempt);
        async move {
            world
                .store()
                .attempt_progress(
                    &world.worker_permit(),
                    attempt.id,
                    attempt.fencing,
                    offset,
                    &marks,
                )
                .await
                .unwrap()
        }
    };
    // Of several things that are told of a host at once the last holds, on every database.
    let (begun, failed) = (HostPhase::Updating, HostPhase::Failed);
    let at_once = vec![
        mark(begun, "one"),
        mark(failed, "two"),
        mark(begun, "three"),
        mark(failed, "out of space"),
    ];
    progress(100, at_once).await;
    progress(100, vec![mark(begun, "")]).await;
    progress(50, vec![mark(begun, "")]).await;
    let cell = world
        .store()
        .host_cells(&world.everything(), id, None, None, 1)
        .await
        .unwrap()
        .items
        .remove(0);
    assert_eq!(
        (
            cell.phase,
            cell.message.as_str(),
            cell.version_before.as_deref()
        ),
        (HostPhase::Failed, "out of space", Some("1.0.0"))
    );
    assert_eq!(world.store().open_attempts().await.unwrap()[0].offset, 100);
    let after = world.load(id).await;
    assert_eq!(
        (after.revision, after.rollout.decision_version),
        (version.revision, version.rollout.decision_version),
        "hosts never move the version people decide on"
    );
}

async fn an_unknown_attempt_can_be_resolved(db: Database) {
    let world = World::new(db, 3).await;
    let (_, claimed) = running(&world).await;
    let (store, permit, attempt, now) = (
        world.store(),
        world.worker_permit(),
        claimed.attempt,
        world.clock.now(),
    );
    let end = JobEnd::Lost {
        message: "its supervisor vanished".to_owned(),
    };
    world
        .finish(
            attempt.id,
            attempt.fencing,
            AttemptState::Unknown,
            &report(end),
        )
        .await
        .unwrap();
    assert!(is_conflict(
        &store
            .attempt_state(
                &permit,
                attempt.id,
                attempt.fencing,
                AttemptState::Running,
                now
            )
            .await
    ));
    store
        .attempt_state(
            &permit,
            attempt.id,
            attempt.fencing,
            AttemptState::Resolved,
            now,
        )
        .await
        .unwrap();
    assert_eq!(
        store
            .job(&world.everything(), claimed.job)
            .await
            .unwrap()
            .state,
        AttemptState::Resolved
    );
}

async fn what_ended_is_listed_until_it_is_sealed(db: Database) {
    let world = World::new(db, 3).await;
    world.released("1.1.0").await;
    let store = world.store();
    let mut jobs = Vec::new();
    for _ in 0..2 {
        jobs.push(world.work_off("1.1.0").await);
        world.clock.advance_seconds(60);
    }
    let ended = async |before, after: Option<&store::KeptAttempt>, limit| {
        let found = store.attempts_unsealed(before, after, limit).await;
        found.unwrap()
    };
    let now = world.clock.now();
    let both = ended(now, None, 10).await;
    let of: Vec<_> = both.iter().map(|attempt| attempt.job).collect();
    assert_eq!(of, jobs);
    assert_eq!(ended(now, None, 1).await, both[..1]);
    assert_eq!(ended(now, Some(&both[0]), 10).await, both[1..]);
    assert_eq!(ended(both[1].ended_at, None, 10).await, both[..1]);
    assert_eq!(store.sealed_bytes().await.unwrap(), 0);
    for (attempt, bytes) in both.iter().zip([3, 1_u64 << 40]) {
        let permit = world.worker_permit();
        for _ in 0..2 {
            let sealed = store.attempt_sealed(&permit, attempt.id, bytes, now).await;
            sealed.unwrap();
        }
    }
    assert_eq!(ended(now, None, 10).await, []);
    assert_eq!(store.sealed_bytes().await.unwrap(), (1 << 40) + 3);
}
