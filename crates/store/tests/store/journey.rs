//! The main road, from request to success, and back again.

use domain::{
    attempt::AttemptState,
    change_request::ChangeRequestState,
    delivery::DeploymentOutcome,
    host::HostPhase,
    job::JobKind,
    rollout::{Event, NoticeKind, RolloutState},
    verdict::{Dimension, Measurement, Outcome, Verdict},
};
use policy::Action;
use store::AuditFilter;
use testkit::{Database, World, on_each_database};

on_each_database!(
    a_rollout_succeeds_in_three_batches,
    a_bad_rollout_is_rolled_back,
    ten_thousand_hosts
);

fn verdict(world: &World, outcome: Outcome) -> Verdict {
    let measurement = Measurement {
        dimension: Dimension::ErrorRate,
        outcome,
        unit: "%".to_owned(),
        baseline: Some(0.1),
        measured: Some(0.25),
        limit: Some(1.1),
        baseline_samples: 60,
        measured_samples: 59,
        p_value: Some(0.5),
        explanation: "0.25 % of requests failed.".to_owned(),
    };
    Verdict::of(
        vec![measurement],
        vec!["sum:checkout.errors{*} by {host}".to_owned()],
        world.clock.now(),
    )
}

async fn phases(world: &World, id: domain::id::RolloutId) -> Vec<(u32, HostPhase, u32)> {
    world
        .store()
        .host_counts(&world.everything(), id)
        .await
        .unwrap()
}

/// Deploys and validates the next batch, bakes it, and judges it well.
async fn batch_goes_well(world: &World, id: domain::id::RolloutId, batch: u32) {
    world.work_off("1.4.2").await;
    world.work_off("1.4.2").await;
    assert_eq!(
        world
            .load(id)
            .await
            .rollout
            .batch(batch)
            .unwrap()
            .state
            .word(),
        "baking"
    );
    world.clock.advance_seconds(600);
    assert_eq!(
        world
            .store()
            .due_rollouts(world.clock.now(), 10)
            .await
            .unwrap(),
        [id]
    );
    world
        .observe(
            id,
            Event::Judged {
                batch,
                verdict: verdict(world, Outcome::Pass),
            },
        )
        .await
        .unwrap();
}

async fn a_rollout_succeeds_in_three_batches(db: Database) {
    let world = World::new(db, 6).await;
    let id = world.request("1.4.2").await;
    let all = world.everything();

    let loaded = world.load(id).await;
    let (change, request) = (loaded.rollout, loaded.change_request.unwrap());
    assert_eq!(change.state, RolloutState::AwaitingApproval);
    assert_eq!(
        change.digest,
        change.plan.digest().unwrap(),
        "the plan is read as it was written"
    );
    assert!(matches!(
        request.state,
        ChangeRequestState::Submitted { .. }
    ));
    assert_eq!(
        phases(&world, id).await,
        [
            (1, HostPhase::Pending, 2),
            (2, HostPhase::Pending, 2),
            (3, HostPhase::Pending, 2)
        ]
    );

    world
        .act(&world.ada, Action::Approve, id, Event::Approve)
        .await
        .unwrap();
    assert!(
        world
            .store()
            .due_rollouts(world.clock.now(), 10)
            .await
            .unwrap()
            .is_empty(),
        "nothing is due before the release"
    );
    world
        .act(&world.omar, Action::Release, id, Event::Release)
        .await
        .unwrap();
    assert_eq!(phases(&world, id).await[0], (1, HostPhase::Updating, 2));

    for batch in 1..=3 {
        batch_goes_well(&world, id, batch).await;
    }
    let loaded = world.load(id).await;
    assert!(matches!(
        loaded.rollout.state,
        RolloutState::Succeeded { .. }
    ));
    assert_eq!(
        loaded.rollout.batches[0].verdict.as_ref().unwrap().outcome,
        Outcome::Pass
    );
    assert_eq!(
        phases(&world, id).await,
        [
            (1, HostPhase::Updated, 2),
            (2, HostPhase::Updated, 2),
            (3, HostPhase::Updated, 2)
        ]
    );
    assert!(
        world
            .store()
            .due_rollouts(world.clock.advance_seconds(1_000_000), 10)
            .await
            .unwrap()
            .is_empty()
    );

    let jobs = world.store().jobs(&all, id).await.unwrap();
    assert_eq!(
        jobs.iter().map(|job| job.kind).collect::<Vec<_>>(),
        [JobKind::Deploy, JobKind::Probe].repeat(3)
    );
    assert!(jobs.iter().all(|job| job.state == AttemptState::Succeeded
        && job.started_at.is_some()
        && job.ended_at.is_some()));
    assert!(
        world.store().finished_jobs(10).await.unwrap().is_empty(),
        "every report was taken into account"
    );

    let deployments = world
        .store()
        .deployments(&all, testkit::start(), 10)
        .await
        .unwrap();
    assert_eq!(deployments.len(), 1);
    assert_eq!(
        (
            deployments[0].0.outcome,
            deployments[0].1.as_str(),
            deployments[0].2.as_str()
        ),
        (DeploymentOutcome::Succeeded, "checkout", "production")
    );
    let services = world.store().services(&all, None, 10).await.unwrap();
    assert_eq!(
        services.items[0].versions,
        [("production".to_owned(), "1.4.2".to_owned())]
    );
    assert_eq!(
        world
            .store()
            .service_row(&all, world.service.id)
            .await
            .unwrap(),
        services.items[0]
    );

    let cells = world
        .store()
        .host_cells(&all, id, Some(2), None, 10)
        .await
        .unwrap();
    let planned: Vec<String> = loaded.rollout.plan.batches[1]
        .hosts
        .iter()
        .map(|host| host.name.to_string())
        .collect();
    assert_eq!(
        cells
            .items
            .iter()
            .map(|cell| cell.name.clone())
            .collect::<Vec<_>>(),
        planned,
        "in the order of the plan"
    );
    assert_eq!(
        (
            cells.items[0].version_before.as_deref(),
            cells.items[0].version_observed.as_deref()
        ),
        (Some("1.0.0"), Some("1.4.2"))
    );

    let outbox = world
        .store()
        .outbox_due(world.clock.now(), 100)
        .await
        .unwrap();
    assert_eq!(outbox.last().unwrap().notice.kind, NoticeKind::Success);
    assert_eq!(
        (
            outbox[0].service.as_str(),
            outbox[0].environment.as_str(),
            outbox[0].version.as_str()
        ),
        ("checkout", "production", "1.4.2")
    );
    let filter = AuditFilter {
        object: Some(("rollout".to_owned(), id.to_string())),
    };
    let events = world
        .store()
        .audit(&all, &filter, None, 100)
        .await
        .unwrap()
        .items;
    let actions: Vec<&str> = events
        .iter()
        .rev()
        .map(|event| event.action.as_str())
        .collect();
    assert_eq!(
        &actions[..4],
        [
            "rollout.submit",
            "rollout.approve",
            "rollout.release",
            "batch.start"
        ]
    );
    assert_eq!(actions.last(), Some(&"rollout.succeed"));
    assert_eq!(
        (
            events.last().unwrap().actor.as_str(),
            events[0].actor_kind.as_str()
        ),
        ("Omar", "system")
    );
}

async fn a_bad_rollout_is_rolled_back(db: Database) {
    let world = World::new(db, 6).await;
    let id = world.released("1.5.0").await;
    world.work_off("1.5.0").await;
    world.work_off("1.5.0").await;
    world
        .observe(
            id,
            Event::Judged {
                batch: 1,
                verdict: verdict(&world, Outcome::Fail),
            },
        )
        .await
        .unwrap();

    assert!(matches!(
        world.load(id).await.rollout.state,
        RolloutState::RollingBack { .. }
    ));
    assert_eq!(phases(&world, id).await[0], (1, HostPhase::RollingBack, 2));
    let hosts = world
        .store()
        .jobs(&world.everything(), id)
        .await
        .unwrap()
        .pop()
        .unwrap();
    let hosts = world
        .store()
        .job_hosts(&world.everything(), hosts.id)
        .await
        .unwrap();
    assert_eq!(
        hosts
            .iter()
            .map(|host| host.before.as_ref().unwrap().as_str())
            .collect::<Vec<_>>(),
        ["1.0.0", "1.0.0"]
    );
    assert!(
        hosts.iter().all(|host| world.hosts.contains(&host.host)),
        "a host is read as it was written"
    );

    world.clock.advance_seconds(30);
    world.work_off("1.0.0").await;
    assert!(matches!(
        world.load(id).await.rollout.state,
        RolloutState::RolledBack { .. }
    ));
    assert_eq!(phases(&world, id).await[0], (1, HostPhase::RolledBack, 2));
    let (deployment, ..) = world
        .store()
        .deployments(&world.everything(), testkit::start(), 1)
        .await
        .unwrap()
        .remove(0);
    assert_eq!(deployment.outcome, DeploymentOutcome::RolledBack);
    assert_eq!(
        deployment
            .finished_at
            .duration_since(deployment.failed_at.unwrap())
            .as_secs(),
        30
    );
    let services = world
        .store()
        .services(&world.everything(), None, 10)
        .await
        .unwrap();
    assert!(
        services.items[0].versions.is_empty(),
        "a version that was rolled back is not shown as running"
    );
}

/// A set of statements, not one for each host: this takes seconds if it is the latter.
async fn ten_thousand_hosts(db: Database) {
    let world = World::new(db, 10_000).await;
    let id = world.released("2.0.0").await;
    world.work_off("2.0.0").await;
    world.work_off("2.0.0").await;
    assert_eq!(
        phases(&world, id).await,
        [
            (1, HostPhase::Updated, 3300),
            (2, HostPhase::Pending, 3300),
            (3, HostPhase::Pending, 3400)
        ]
    );
    let page = world
        .store()
        .host_cells(&world.everything(), id, None, None, 200)
        .await
        .unwrap();
    assert_eq!(page.items.len(), 200);
    let next = world
        .store()
        .host_cells(&world.everything(), id, None, page.next.as_deref(), 200)
        .await
        .unwrap();
    assert_eq!(
        next.items[0].name,
        world.load(id).await.rollout.plan.batches[0].hosts[200]
            .name
            .to_string()
    );
}
