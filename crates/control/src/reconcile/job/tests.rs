use std::fs;

use axum::Router;
use domain::{
    host::{Host, HostPhase},
    id::RolloutId,
    job::JobEnd,
};
use integrations::supervisor::names;
use policy::{Action, Kind};
use testkit::{Database, World};

use super::{keeper::MOST_STARTS, *};
use crate::testing::{console, console_with};

/// The first three are those of the scene's rollout.
const HOSTS: usize = 6;

/// A worker that could start nothing if it tried, and a released rollout whose deploy is queued.
struct Scene {
    world: World,
    rollout: RolloutId,
    others: Vec<Host>,
    runner: Runner,
}

impl Scene {
    async fn new() -> Self {
        Self::on(Database::sqlite().await).await
    }

    async fn on(database: Database) -> Self {
        let mut world = World::new(database, HOSTS).await;
        let others = world.hosts.split_off(3);
        let console = console(&world, Router::new()).await;
        Self {
            rollout: world.released("1.1.0").await,
            runner: Runner::new(console),
            others,
            world,
        }
    }

    /// Claims the deploy, as a worker does that then ends at once.
    async fn claim(&self) -> OpenAttempt {
        let claimed = self.world.claim("test", Room::ONE).await;
        claimed.expect("the deploy is queued");
        self.open().await.remove(0)
    }

    async fn open(&self) -> Vec<OpenAttempt> {
        self.world.store().open_attempts().await.unwrap()
    }

    async fn look_after(&self, open: &OpenAttempt) {
        let mut keeper = Keeper::of(self.runner.console.clone(), open, None);
        keeper.look_after(open).await.unwrap();
        if let Some(ended) = keeper.ended {
            write(&self.runner.console, vec![(keeper.run, ended)]).await;
        }
    }

    /// A round, with the first end after it.
    async fn round(&mut self) {
        self.runner.round().await;
        loop {
            let done = self.runner.done().await.expect("something is under way");
            self.runner.take_in(done);
            if self.runner.ending.is_empty() {
                return;
            }
        }
    }

    /// Queues the deploy of another service, to other hosts.
    async fn another(&mut self) {
        let world = &mut self.world;
        let mut service = testkit::service("basket", world.team.id);
        service.installation.install_root = "/opt/basket".to_owned();
        let resource = Resource::new(Kind::Service, service.id, "basket").of_team(world.team.id);
        let permit = testkit::permit(&world.omar, Action::OnboardService, resource);
        let inserted = world
            .store()
            .service_insert(&permit, &service, world.clock.now());
        inserted.await.unwrap();
        world.service = service;
        world.hosts = std::mem::take(&mut self.others);
        world.released("1.1.0").await;
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
    let scene = Scene::new().await;
    let job = scene.claim().await.job;
    let permit = testkit::permit(
        &scene.world.omar,
        Action::CancelJob,
        Resource::new(Kind::Job, job, "the deploy"),
    );
    let (store, now) = (scene.world.store(), scene.world.clock.now());
    store
        .job_cancel(&permit, job, "wrong version", now)
        .await
        .unwrap();

    let open = scene.open().await.remove(0);
    scene.look_after(&open).await;

    assert_eq!(scene.end().await, JobEnd::Cancelled);
    assert_eq!(scene.phase().await, HostPhase::Pending);
}

#[tokio::test]
async fn a_job_that_never_begins_is_given_up_after_three_attempts() {
    let scene = Scene::new().await;
    for number in 1..=MOST_STARTS {
        let open = scene.claim().await;
        assert_eq!(open.attempt.number, number);
        let folder = scene.runner.console.attempt_folder(open.attempt.id);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(names::SPEC), "{}").unwrap();
        fs::write(folder.join(names::SUPERVISOR_LOG), "The disk is full.\n").unwrap();
        scene.look_after(&open).await;
        assert!(scene.open().await.is_empty());
    }
    let end = scene.end().await;
    assert!(
        matches!(&end, JobEnd::CouldNotStart { message } if message.ends_with("The disk is full.")),
        "{end:?}"
    );
    assert_eq!(scene.phase().await, HostPhase::Pending);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_takes_its_time_holds_up_no_other() {
    let mut scene = Scene::new().await;
    scene.another().await;
    scene.claim().await;
    scene.claim().await;
    let open = scene.open().await;
    let folders: Vec<_> = open
        .iter()
        .map(|open| scene.runner.console.attempt_folder(open.attempt.id))
        .collect();
    let exit = "{\"code\": 0, \"at\": 1}";
    for folder in &folders {
        fs::create_dir_all(folder).unwrap();
    }
    // Whoever reads this waits until somebody writes.
    let slow = folders[0].join(names::EXIT);
    let made = std::process::Command::new("mkfifo").arg(&slow).status();
    assert!(made.unwrap().success());
    fs::write(folders[1].join(names::EXIT), exit).unwrap();

    scene.round().await;
    assert_eq!(scene.open().await, open[..1], "the other one has ended");
    scene.runner.round().await;
    assert_eq!(scene.runner.at_work.len(), 1, "nobody looks at one twice");

    tokio::task::spawn_blocking(move || fs::write(slow, exit))
        .await
        .unwrap()
        .unwrap();
    scene.runner.finish().await;
    assert_eq!(scene.open().await, []);
}

#[tokio::test]
async fn a_run_that_ends_while_the_database_is_gone_is_taken_in_afterwards() {
    let database = Database::postgres().await;
    let (server, name) = (database.url.clone(), database_name(&database.url));
    let mut scene = Scene::on(database).await;
    let open = scene.claim().await;
    let folder = scene.runner.console.attempt_folder(open.attempt.id);
    fs::create_dir_all(&folder).unwrap();

    let refuse = format!(
        "ALTER DATABASE {name} ALLOW_CONNECTIONS false; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    );
    let elsewhere = server.replace(&name, "postgres");
    testkit::run(&elsewhere, &refuse).await;
    fs::write(folder.join(names::EXIT), "{\"code\": 0, \"at\": 1}").unwrap();
    scene.runner.round().await;
    scene.runner.finish().await;
    assert!(
        scene.world.store().open_attempts().await.is_err(),
        "it is gone"
    );

    let allow = format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true");
    testkit::run(&elsewhere, &allow).await;
    // No server is back so soon in earnest: connections that were cut in the same moment are found out one by one, each by
    // a round that has to be done again.
    for _ in 0..20 {
        scene.runner.round().await;
        scene.runner.finish().await;
        if scene.world.store().open_attempts().await == Ok(Vec::new()) {
            break;
        }
    }
    assert_eq!(scene.open().await, []);
    let end = scene.end().await;
    assert!(matches!(end, JobEnd::Lost { .. }), "{end:?}");
}

fn database_name(url: &str) -> String {
    let path = url.rsplit('/').find(|part| part.contains("?host="));
    let name = path.and_then(|part| part.split('?').next());
    name.expect("a name stands in the address").to_owned()
}

#[tokio::test]
async fn a_deploy_that_waited_for_hours_does_not_start_by_itself() {
    let mut scene = Scene::new().await;
    scene.world.clock.advance_seconds(4 * 3600 + 1);
    scene.round().await;
    let end = scene.end().await;
    assert!(
        matches!(&end, JobEnd::CouldNotStart { message } if message.contains("four hours")),
        "{end:?}"
    );
    assert_eq!(scene.phase().await, HostPhase::Pending);
}

#[tokio::test]
async fn nothing_starts_while_the_disk_is_full() {
    let world = World::new(Database::sqlite().await, 3).await;
    let id = world.released("1.1.0").await;
    let full = console_with(&world, Router::new(), |settings| {
        std::fs::create_dir_all(&settings.data_dir).unwrap();
        settings.jobs.least_free = u64::MAX;
    });
    let full = full.await;
    let why = full.disk_is_full(JobKind::RollBack);
    let why = why.expect("no disk has so much");
    assert!(why.contains("MB left"), "{why}");
    world.clock.advance_seconds(3);
    let sentence = full
        .ctx(world.omar.clone())
        .rollout(id)
        .await
        .unwrap()
        .sentence;
    assert!(
        sentence.contains("deployment is queued. The disk"),
        "{sentence}"
    );
    let mut runner = Runner::new(full);
    runner.round().await;
    assert!(runner.at_work.is_empty());
    assert_eq!(world.store().open_attempts().await.unwrap(), []);

    let for_the_way_back = console_with(&world, Router::new(), |settings| {
        let free = integrations::file::free_bytes(&settings.data_dir).unwrap();
        settings.jobs.least_free = free.saturating_mul(4);
    });
    let for_the_way_back = for_the_way_back.await;
    assert!(for_the_way_back.disk_is_full(JobKind::Deploy).is_some());
    assert_eq!(for_the_way_back.disk_is_full(JobKind::RollBack), None);

    let enough = console(&world, Router::new()).await;
    assert_eq!(enough.disk_is_full(JobKind::Deploy), None);
    let mut runner = Runner::new(enough);
    runner.round().await;
    assert_eq!(runner.at_work.len(), 1);
    runner.finish().await;
}
