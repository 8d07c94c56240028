//! Rules the database itself keeps: one rollout for each host, another approver than the requester, one rollout for each key.

use domain::{
    change_request::ChangeRequestEvent,
    rollout::{Event, RolloutState},
};
use policy::{Action, Kind, Resource};
use store::{AuditFilter, StoreError};
use testkit::{Database, World, on_each_database, permit};

on_each_database!(
    a_held_host_is_refused,
    the_requester_cannot_be_the_approver,
    one_key_makes_one_rollout,
    a_plan_is_not_requested_twice_before_it_is_released,
    one_key_hides_no_other_plan,
    an_old_success_is_not_rolled_back_under_a_newer_one,
    a_host_that_was_lost_before_it_told_goes_back_to_what_was_seen_last,
);

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
    let waiting = world.load(second).await.rollout;
    assert_eq!(
        waiting.state,
        RolloutState::Scheduled,
        "nothing is half-written"
    );
    let all = world.everything();
    let held = world.store().held_elsewhere(&all, &waiting);
    let held = held.await.unwrap().unwrap();
    assert_eq!((held.host.as_str(), held.rollout), ("web-00001", first));
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
        Resource::new(Kind::Rollout, id, "concealed"),
    );
    let change = world.applied(loaded.rollout, Event::Approve, &both);
    let refused = world
        .commit(&permit, loaded.revision, &change, Some(&approved), &[])
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
    let events = world
        .store()
        .audit_total(&world.everything())
        .await
        .unwrap();
    assert_eq!(
        world.request_once("1.1.0", Some("form-1")).await.unwrap(),
        first
    );
    assert_eq!(
        world
            .store()
            .audit_total(&world.everything())
            .await
            .unwrap(),
        events
    );
    let (one, two) = tokio::join!(
        world.request_once("1.2.0", Some("double click")),
        world.request_once("1.2.0", Some("double click"))
    );
    assert_eq!(one.unwrap(), two.unwrap());
    let filter = AuditFilter {
        object: Some(("rollout".to_owned(), first.to_string())),
        ..AuditFilter::default()
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

async fn a_plan_is_not_requested_twice_before_it_is_released(db: Database) {
    let world = World::new(db, 3).await;
    let first = world.request_once("1.1.0", Some("form-1")).await.unwrap();
    let already = Err(StoreError::AlreadyRequested {
        rollout: "checkout 1.1.0 to production".to_owned(),
        by: world.omar.name.clone(),
    });
    for key in [Some("form-2"), None] {
        assert_eq!(world.request_once("1.1.0", key).await, already, "{key:?}");
    }
    let (one, two) = tokio::join!(
        world.request_once("1.2.0", Some("one")),
        world.request_once("1.2.0", Some("two"))
    );
    assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
    let reason = "not now".parse().unwrap();
    let withdraw = Event::Withdraw { reason };
    world
        .act(&world.omar, Action::WithdrawRollout, first, withdraw)
        .await
        .unwrap();
    let again = world.request_once("1.1.0", None).await.unwrap();
    assert_ne!(again, first, "nobody waits for the first any more");
    world
        .act(&world.ada, Action::Approve, again, Event::Approve)
        .await
        .unwrap();
    world
        .act(&world.omar, Action::Release, again, Event::Release)
        .await
        .unwrap();
    let next = world.request_once("1.1.0", None).await;
    assert!(
        next.is_ok(),
        "one that is under way does not hinder it: {next:?}"
    );
}

async fn one_key_hides_no_other_plan(db: Database) {
    let world = World::new(db, 3).await;
    let first = world.request_once("1.1.0", Some("form-1")).await.unwrap();
    let events = world
        .store()
        .audit_total(&world.everything())
        .await
        .unwrap();
    assert_eq!(
        world.request_once("1.2.0", Some("form-1")).await,
        Err(StoreError::KeyTaken {
            rollout: "checkout 1.1.0 to production".to_owned()
        })
    );
    assert_eq!(
        world
            .store()
            .audit_total(&world.everything())
            .await
            .unwrap(),
        events,
        "nothing is written"
    );
    assert_eq!(
        world.request_once("1.1.0", Some("form-1")).await.unwrap(),
        first
    );
}

async fn a_host_that_was_lost_before_it_told_goes_back_to_what_was_seen_last(db: Database) {
    let world = World::new(db, 3).await;
    succeeded(&world, "1.1.0").await;
    let id = world.released("1.2.0").await;
    let everything = world.everything();
    let job = world.store().jobs(&everything, id).await.unwrap()[0].id;
    let before = async || {
        let hosts = world.store().job_hosts(&everything, job).await.unwrap();
        hosts.into_iter().map(|host| host.before).next().unwrap()
    };
    assert_eq!(before().await, None, "a deploy asks the host itself");
    let back = format!("UPDATE jobs SET kind = 'roll_back' WHERE id = '{job}'");
    world.db.run(&back).await;
    assert_eq!(before().await, Some("1.1.0".parse().unwrap()));
    let told =
        format!("UPDATE rollout_hosts SET version_before = '1.0.5' WHERE rollout_id = '{id}'");
    world.db.run(&told).await;
    assert_eq!(before().await, Some("1.0.5".parse().unwrap()));
}

async fn an_old_success_is_not_rolled_back_under_a_newer_one(db: Database) {
    let world = World::new(db, 6).await;
    let old = succeeded(&world, "1.1.0").await;
    let new = succeeded(&world, "1.2.0").await;
    let back = || Event::RollBack {
        reason: "slow".parse().unwrap(),
    };
    let superseded = StoreError::Superseded {
        rollout: "checkout 1.2.0 to production".to_owned(),
    };
    let why = async |id| {
        let rollout = world.load(id).await.rollout;
        world
            .store()
            .superseded(&world.everything(), &rollout)
            .await
            .unwrap()
    };
    assert_eq!(why(old).await, Some(superseded.clone()));
    assert_eq!(why(new).await, None);
    assert_eq!(
        world
            .act(&world.omar, Action::RollBack, old, back())
            .await
            .unwrap_err(),
        superseded
    );
    assert!(
        matches!(
            world.load(old).await.rollout.state,
            RolloutState::Succeeded { .. }
        ),
        "nothing is half-written"
    );

    world
        .act(&world.omar, Action::RollBack, new, back())
        .await
        .unwrap();
    for _ in 1..=3 {
        world.work_off("1.0.0").await;
    }
    assert!(matches!(
        world.load(new).await.rollout.state,
        RolloutState::RolledBack { .. }
    ));
    assert_eq!(why(old).await, None, "the newer one is gone again");
    world
        .act(&world.omar, Action::RollBack, old, back())
        .await
        .unwrap();
}

/// A rollout of three batches that went well.
async fn succeeded(world: &World, version: &str) -> domain::id::RolloutId {
    let id = world.released(version).await;
    for batch in 1..=3 {
        world.work_off(version).await;
        world.work_off(version).await;
        world.clock.advance_seconds(600);
        let verdict = crate::verdict(world, domain::verdict::Outcome::Pass);
        world
            .observe(id, Event::Judged { batch, verdict })
            .await
            .unwrap();
    }
    assert!(matches!(
        world.load(id).await.rollout.state,
        RolloutState::Succeeded { .. }
    ));
    id
}
