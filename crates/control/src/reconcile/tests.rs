use axum::{Json, Router, http::StatusCode, routing::post};
use domain::{
    SignedDuration,
    batch::{BatchState, HeldAt},
    id::RolloutId,
    rollout::Event,
    verdict::Verdict,
};
use store::AuditFilter;
use testkit::{Database, World};
use tokio::sync::mpsc;

use super::{outbox, outputs, rollout};
use crate::testing::console;

/// A rollout whose first batch waits at its gate.
async fn gate(world: &World) -> RolloutId {
    let id = world.released("1.1.0").await;
    world.work_off("1.1.0").await;
    world.work_off("1.1.0").await;
    world.clock.advance_seconds(600);
    let verdict = Verdict::of(Vec::new(), Vec::new(), world.clock.now());
    world
        .observe(id, Event::Judged { batch: 1, verdict })
        .await
        .unwrap();
    id
}

async fn first_batch(world: &World, id: RolloutId) -> BatchState {
    world.load(id).await.rollout.batches[0].state.clone()
}

#[tokio::test]
async fn a_gate_expires_while_datadog_keeps_silent() {
    let world = World::new(Database::sqlite().await, 3).await;
    let id = gate(&world).await;
    assert!(matches!(
        first_batch(&world, id).await,
        BatchState::Gate { .. }
    ));
    let (asked, mut heard) = mpsc::unbounded_channel();
    let silent = Router::new().fallback(move || {
        let _ = asked.send(());
        std::future::pending::<StatusCode>()
    });
    let console = console(&world, silent).await;
    world.clock.advance(SignedDuration::from_hours(2));
    let judging = tokio::spawn({
        let console = console.clone();
        async move { rollout::judge(&console).await }
    });
    heard.recv().await.unwrap();
    rollout::settle(&console).await;
    assert!(matches!(
        first_batch(&world, id).await,
        BatchState::Held {
            at: HeldAt::Gate,
            ..
        }
    ));
    judging.abort();
}

#[tokio::test]
async fn an_event_carries_its_own_time_and_is_given_up_when_it_is_too_old() {
    let world = World::new(Database::sqlite().await, 3).await;
    let (posted, mut heard) = mpsc::unbounded_channel();
    let datadog = Router::new().route(
        "/api/v1/events",
        post(async move |Json(event): Json<serde_json::Value>| {
            let _ = posted.send(event["date_happened"].as_i64());
            "{}"
        }),
    );
    let console = console(&world, datadog).await;
    let id = world.request("1.1.0").await;
    let happened = world.clock.now().as_second();
    world.clock.advance(SignedDuration::from_hours(17));
    outbox::round(&console).await;
    assert_eq!(heard.try_recv().unwrap(), Some(happened));

    world
        .act(&world.ada, policy::Action::Approve, id, Event::Approve)
        .await
        .unwrap();
    world.clock.advance(SignedDuration::from_hours(18));
    outbox::round(&console).await;
    assert!(heard.try_recv().is_err(), "Datadog would refuse it");
    let due = world.store().outbox_due(world.clock.now(), 10).await;
    assert_eq!(due.unwrap(), []);
    let about = AuditFilter {
        object: Some(("rollout".to_owned(), id.to_string())),
    };
    let newest = world
        .store()
        .audit(&world.everything(), &about, None, 1)
        .await
        .unwrap();
    assert_eq!(newest.items[0].action, "message.give_up");
}

#[tokio::test]
async fn old_outputs_of_rollouts_that_ended_are_removed() {
    let world = World::new(Database::sqlite().await, 3).await;
    let id = world.released("1.1.0").await;
    let job = world.work_off("1.1.0").await;
    let console = console(&world, Router::new()).await;
    let omar = console.ctx(world.omar.clone());
    let attempt = world
        .store()
        .newest_attempt(&world.everything(), job)
        .await
        .unwrap()
        .unwrap();
    let folder = console.attempt_folder(attempt.id);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("output.log"), "PLAY [all]\n").unwrap();

    world.clock.advance(SignedDuration::from_hours(24 * 31));
    outputs::round(&console).await;
    assert!(folder.exists(), "the rollout lives: its output is needed");

    let abort = Event::Abort {
        reason: "enough".parse().unwrap(),
    };
    world
        .act(&world.omar, policy::Action::Abort, id, abort)
        .await
        .unwrap();
    rollout::settle(&console).await;
    assert_eq!(omar.job_view(job).await.unwrap().output_removed_at, None);
    outputs::round(&console).await;
    assert!(!folder.exists());
    let removed = omar.job_view(job).await.unwrap().output_removed_at;
    assert_eq!(removed, Some(world.clock.now()));
    assert!(omar.log(job, 1, 10).await.unwrap().lines.is_empty());
    let told = async || {
        let events = world
            .store()
            .audit(&world.everything(), &AuditFilter::default(), None, 100)
            .await
            .unwrap();
        let about = events.items.into_iter();
        about
            .filter(|event| event.action == "job.output_removed")
            .count()
    };
    assert_eq!(told().await, 1);
    outputs::round(&console).await;
    assert_eq!(told().await, 1, "it is removed once");
}
