use std::fs;

use axum::Router;
use domain::host::HostPhase;
use policy::Action;
use testkit::{Database, World, mint};

use super::*;
use crate::testing::console;

/// A worker that could start nothing if it tried, and a released rollout whose deploy is queued.
struct Scene {
    world: World,
    rollout: RolloutId,
    runner: Runner,
}

impl Scene {
    async fn new() -> Self {
        let world = World::new(Database::sqlite().await, 3).await;
        let console = console(&world, Router::new()).await;
        Self {
            rollout: world.released("1.1.0").await,
            runner: Runner::new(console),
            world,
        }
    }

    /// Claims the deploy, as a worker does that then ends at once.
    async fn claim(&self) -> OpenAttempt {
        let now = self.world.clock.now();
        let permit = self.world.worker_permit();
        let store = self.world.store();
        let claimed = store.claim(
            &permit,
            "test",
            AttemptId(mint()),
            now,
            now,
            store::Claimable::ALL,
        );
        claimed.await.unwrap().expect("the deploy is queued");
        self.open().await.remove(0)
    }

    async fn open(&self) -> Vec<OpenAttempt> {
        self.world.store().open_attempts().await.unwrap()
    }

    async fn end(&self) -> JobEnd {
        let finished = self.world.store().finished_jobs(10).await.unwrap();
        finished[0].report.end.clone()
    }

    /// The phase that all hosts of the first batch have.
    async fn phase(&self) -> HostPhase {
        let (store, scope) = (self.world.store(), self.world.everything());
        let counts = store.host_counts(&scope, self.rollout).await.unwrap();
        counts[0].1
    }
}

#[tokio::test]
async fn an_attempt_to_be_cancelled_is_not_started_after_a_restart() {
    let mut scene = Scene::new().await;
    let job = scene.claim().await.job;
    let permit = testkit::permit(
        &scene.world.omar,
        Action::CancelJob,
        Resource::new("job", job, "the deploy"),
    );
    let (store, now) = (scene.world.store(), scene.world.clock.now());
    store
        .job_cancel(&permit, job, "wrong version", now)
        .await
        .unwrap();

    let open = scene.open().await.remove(0);
    scene.runner.look_after(&open).await.unwrap();

    assert_eq!(scene.end().await, JobEnd::Cancelled);
    assert_eq!(scene.phase().await, HostPhase::Pending);
}

#[tokio::test]
async fn a_job_that_never_begins_is_given_up_after_three_attempts() {
    let mut scene = Scene::new().await;
    for number in 1..=MOST_STARTS {
        let open = scene.claim().await;
        assert_eq!(open.attempt.number, number);
        let folder = scene.runner.console.attempt_folder(open.attempt.id);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(names::SPEC), "{}").unwrap();
        fs::write(folder.join(names::SUPERVISOR_LOG), "The disk is full.\n").unwrap();
        scene.runner.look_after(&open).await.unwrap();
        assert!(scene.open().await.is_empty());
    }
    let end = scene.end().await;
    assert!(
        matches!(&end, JobEnd::CouldNotStart { message } if message.ends_with("The disk is full.")),
        "{end:?}"
    );
    assert_eq!(scene.phase().await, HostPhase::Pending);
}
