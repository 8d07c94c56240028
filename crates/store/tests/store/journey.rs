//! The main road, from request to success.

use domain::{
    attempt::AttemptState,
    change_request::ChangeRequestState,
    delivery::DeploymentOutcome,
    host::HostPhase,
    id::RolloutId,
    job::JobKind,
    rollout::{Event, NoticeKind, RolloutState},
    verdict::Outcome,
};
use policy::Action;
use store::AuditFilter;
use testkit::{Database, World, on_each_database};

use crate::{phases, verdict};

on_each_database!(a_rollout_succeeds_in_three_batches,);

/// Deploys and validates the next batch, bakes it, and judges it well.
async fn batch_goes_well(world: &World, id: RolloutId, batch: u32) {
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
        services.items[0].runs_in(),
        [("production".to_owned(), "1.4.2 on 6".to_owned())]
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
        ..AuditFilter::default()
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
