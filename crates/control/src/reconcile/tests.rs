use std::path::PathBuf;

use axum::{
    Json, Router,
    http::{StatusCode, header::DATE},
    middleware::map_response,
    response::Response,
    routing::post,
};
use domain::{
    SignedDuration,
    batch::{BatchState, HeldAt},
    id::{JobId, RolloutId},
    rollout::Event,
    verdict::{Dimension, Measurement, Outcome, Verdict},
};
use futures::StreamExt as _;
use store::AuditFilter;
use testkit::{Database, World};
use tokio::sync::{mpsc, watch};
use view::job::JobPageWish;

use super::{
    outbox,
    outputs::{self, Keeper},
    rollout,
};
use crate::{
    Console, OutputSettings, S3, telemetry,
    testing::{console, console_at_its_own_time, console_with},
};

/// Ends a rollout, and takes its end into account.
async fn abort(world: &World, console: &Console, id: RolloutId) {
    let abort = Event::Abort {
        reason: "enough".parse().unwrap(),
    };
    world
        .act(&world.omar, policy::Action::Abort, id, abort)
        .await
        .unwrap();
    rollout::settle(console).await;
}

/// The server goes on.
fn going_on() -> watch::Receiver<bool> {
    watch::channel(false).1
}

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
async fn what_finished_at_once_is_taken_in_at_once() {
    let world = World::new(Database::sqlite().await, 6).await;
    let console = console(&world, Router::new()).await;
    let id = world.released("1.1.0").await;
    for batch in [1, 2] {
        world.work_off("1.1.0").await;
        world.work_off("1.1.0").await;
        world.clock.advance_seconds(600);
        let verdict = Verdict::of(vec![good()], Vec::new(), world.clock.now());
        let judged = Event::Judged { batch, verdict };
        world.observe(id, judged).await.unwrap();
    }
    let back = Event::RollBack {
        reason: "enough".parse().unwrap(),
    };
    world
        .act(&world.omar, policy::Action::RollBack, id, back)
        .await
        .unwrap();
    // The deploy of the last batch was cancelled before it began.
    rollout::settle(&console).await;
    let before = world.load(id).await.revision;
    for _ in 1..=3 {
        world.work("1.0.0").await;
    }
    rollout::settle(&console).await;
    let after = world.load(id).await;
    assert_eq!(after.rollout.state.word(), "rolled_back");
    assert_eq!(after.revision, before + 1, "all by one change");
    assert_eq!(world.store().finished_jobs(10).await.unwrap(), []);
}

/// A rollout whose first batch bakes.
async fn baking(world: &World) -> RolloutId {
    let id = world.released("1.1.0").await;
    world.work_off("1.1.0").await;
    world.clock.advance_seconds(60);
    world.work_off("1.1.0").await;
    id
}

/// A Datadog without a single point.
fn empty() -> Router {
    Router::new().fallback(async || {
        Json(serde_json::json!({ "status": "ok", "series": [], "from_date": 0, "to_date": 0 }))
    })
}

#[tokio::test]
async fn nothing_passes_when_the_clock_was_set_back() {
    for (back, named) in [(0, false), (30, true), (7200, true)] {
        let world = World::new(Database::sqlite().await, 3).await;
        let console = console(&world, empty()).await;
        let id = baking(&world).await;
        world.clock.advance_seconds(20 - back);
        let rollout = world.load(id).await.rollout;
        let verdict = telemetry::judge_batch(&console, &rollout, &rollout.batches[0]);
        let verdict = verdict.await.unwrap();
        assert_ne!(verdict.outcome, Outcome::Pass, "{back}");
        assert_eq!(
            verdict.to_string().contains("clock was set back"),
            named,
            "{verdict}"
        );
    }
}

#[tokio::test]
async fn nothing_passes_when_datadog_lives_in_another_time() {
    let world = World::new(Database::sqlite().await, 3).await;
    let elsewhere = empty().layer(map_response(async |mut response: Response| {
        let then = "Sat, 01 Jan 2000 00:00:00 GMT".parse().unwrap();
        response.headers_mut().insert(DATE, then);
        response
    }));
    let console = console_at_its_own_time(&world, elsewhere).await;
    let id = baking(&world).await;
    world.clock.advance_seconds(20);
    let rollout = world.load(id).await.rollout;
    let verdict = telemetry::judge_batch(&console, &rollout, &rollout.batches[0]);
    let verdict = verdict.await.unwrap();
    assert_eq!(verdict.outcome, Outcome::ProviderError);
    assert!(
        verdict.to_string().contains("ahead of Datadog's"),
        "{verdict}"
    );
}

fn good() -> Measurement {
    Measurement {
        dimension: Dimension::ErrorRate,
        outcome: Outcome::Pass,
        unit: "%".to_owned(),
        baseline: Some(0.1),
        measured: Some(0.1),
        limit: Some(1.1),
        baseline_samples: 60,
        measured_samples: 60,
        p_value: Some(0.5),
        explanation: String::new(),
    }
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
        ..AuditFilter::default()
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
    outputs::Keeper::default()
        .round(&console, &going_on())
        .await;
    assert!(folder.exists(), "the rollout lives: its output is needed");

    abort(&world, &console, id).await;
    assert_eq!(omar.job_view(job).await.unwrap().output_removed_at, None);
    outputs::Keeper::default()
        .round(&console, &going_on())
        .await;
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
    outputs::Keeper::default()
        .round(&console, &going_on())
        .await;
    assert_eq!(told().await, 1, "it is removed once");
}

/// The folder of a job's newest attempt, with something in it.
async fn printed(world: &World, console: &Console, job: JobId, output: &str) -> PathBuf {
    let attempt = world.store().newest_attempt(&world.everything(), job).await;
    let folder = console.attempt_folder(attempt.unwrap().unwrap().id);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("output.log"), output).unwrap();
    let event = r#"{"seq":1,"t":1,"kind":"host","host":"web-1","task":"Copy","task_id":"a","status":"changed","ms":300}"#;
    std::fs::write(folder.join("events.jsonl"), format!("{event}\n")).unwrap();
    folder
}

#[tokio::test]
async fn an_output_is_sealed_an_hour_after_its_job_and_reads_as_before() {
    let world = World::new(Database::sqlite().await, 3).await;
    let id = world.released("1.1.0").await;
    let job = world.work_off("1.1.0").await;
    let console = console(&world, Router::new()).await;
    rollout::settle(&console).await;
    let omar = console.ctx(world.omar.clone());
    let text = "PLAY [all]\nok: [web-1]\nunfinished";
    let folder = printed(&world, &console, job, text).await;
    let read = async || {
        let page = omar.log(job, 1, 10).await.unwrap();
        let found = omar.find_in_log(job, "OK:".to_lowercase(), 1).await;
        let (_, pieces) = omar.whole_output(job).await.unwrap();
        let pieces: Vec<Vec<u8>> = pieces.map(|piece| piece.unwrap()).collect().await;
        let times = omar.job_times(job).await.unwrap();
        (page, found.unwrap(), pieces.concat(), times)
    };
    let before = read().await;
    assert_eq!((before.0.lines.len(), before.0.total), (2, 2));
    assert_eq!(before.1.lines[0].number, 2);
    assert_eq!(before.2, text.as_bytes());
    assert_eq!(before.3.hosts[0].changed, 1);

    let mut keeper = Keeper::default();
    world.clock.advance(SignedDuration::from_mins(59));
    keeper.round(&console, &going_on()).await;
    assert!(folder.join("output.log").exists(), "it has just ended");
    world.clock.advance(SignedDuration::from_mins(2));
    keeper.round(&console, &going_on()).await;
    assert!(!folder.join("output.log").exists() && !folder.join("events.jsonl").exists());
    assert_eq!(read().await, before);
    let sealed = world.store().sealed_bytes().await.unwrap();
    assert!(sealed > 0);
    keeper.round(&console, &going_on()).await;
    assert_eq!(world.store().sealed_bytes().await.unwrap(), sealed);

    abort(&world, &console, id).await;
    world.clock.advance(SignedDuration::from_hours(24 * 31));
    keeper.round(&console, &going_on()).await;
    assert!(!folder.exists());
    let objects = std::fs::read_dir(console.settings().data_dir.join("outputs")).unwrap();
    assert_eq!(objects.count(), 0);
    assert_eq!(world.store().sealed_bytes().await.unwrap(), 0);
}

#[tokio::test]
async fn one_output_that_cannot_be_sealed_stops_no_other_and_is_said_once() {
    let world = World::new(Database::sqlite().await, 3).await;
    world.released("1.1.0").await;
    let console = console(&world, Router::new()).await;
    let bad = world.work_off("1.1.0").await;
    rollout::settle(&console).await;
    world.clock.advance_seconds(1);
    let good = world.work_off("1.1.0").await;
    rollout::settle(&console).await;
    let bad = printed(&world, &console, bad, "").await;
    std::fs::remove_file(bad.join("output.log")).unwrap();
    std::fs::create_dir(bad.join("output.log")).unwrap();
    let good = printed(&world, &console, good, "ok\n").await;
    world.clock.advance(SignedDuration::from_hours(2));
    let mut keeper = Keeper::default();
    for _ in 0..2 {
        keeper.round(&console, &going_on()).await;
        assert!(!good.join("output.log").exists());
        assert_eq!(keeper.told(), 1);
    }
    std::fs::remove_dir(bad.join("output.log")).unwrap();
    keeper.round(&console, &going_on()).await;
    assert!(!bad.join("events.jsonl").exists());
    assert_eq!(keeper.told(), 0);
}

#[tokio::test]
async fn the_page_of_a_job_says_that_its_output_is_out_of_reach() {
    let world = World::new(Database::sqlite().await, 3).await;
    world.released("1.1.0").await;
    let job = world.work_off("1.1.0").await;
    let gone = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let endpoint = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    let s3 = S3 {
        endpoint: Some(endpoint.parse().unwrap()),
        region: "eu-central-1".to_owned(),
        bucket: "outputs".to_owned(),
        prefix: String::new(),
        keys: Some(("id".to_owned(), "secret".into())),
    };
    let outputs = OutputSettings {
        s3: Some(s3),
        ..OutputSettings::default()
    };
    let console = console_with(&world, Router::new(), |settings| settings.outputs = outputs).await;
    let folder = printed(&world, &console, job, "").await;
    for name in ["output.log", "events.jsonl"] {
        std::fs::remove_file(folder.join(name)).unwrap();
    }
    let record = r#"{"files":{"output.log":{"place":"s3://outputs/","key":"k","bytes":4,"lines":1,"digest":"","object_bytes":9,"frames":[[1,0,0]]}}}"#;
    std::fs::write(folder.join("sealed.json"), record).unwrap();
    let omar = console.ctx(world.omar.clone());
    let wish = JobPageWish {
        find: "x".to_owned(),
        by_task: true,
        ..JobPageWish::default()
    };
    let page = omar.job_page(job, wish).await.unwrap();
    assert_eq!(page.view.job.id, job);
    let told = page.output.unwrap_err();
    for part in ["s3://outputs/ cannot be reached", "[outputs.s3]"] {
        assert!(told.contains(part), "{told}");
    }
    assert!(omar.whole_output(job).await.is_err());
}

#[tokio::test]
async fn what_an_ended_job_comes_to_is_summed_up_once() {
    let world = World::new(Database::sqlite().await, 3).await;
    world.released("1.1.0").await;
    let job = world.work_off("1.1.0").await;
    let console = console(&world, Router::new()).await;
    let omar = console.ctx(world.omar.clone());
    let folder = printed(&world, &console, job, "ok\nfatal: [web-1]: FAILED!\n").await;
    let times = omar.job_times(job).await.unwrap();
    assert_eq!(times.hosts[0].changed, 1);
    assert_eq!(omar.first_failure(job).await.unwrap(), Some(2));
    std::fs::write(folder.join("events.jsonl"), "").unwrap();
    assert_eq!(omar.job_times(job).await.unwrap(), times);
    std::fs::write(folder.join("summary.json"), "{").unwrap();
    assert!(
        omar.job_times(job).await.unwrap().hosts.is_empty(),
        "it is made again"
    );
}
