//! Which job comes first.

use domain::{
    attempt::AttemptState,
    host::Host,
    id::{AttemptId, RolloutId, TeamId},
    job::{JobEnd, JobKind},
};
use policy::{Action, Kind, Resource};
use store::{Claim, Claimed, Ended, Room};
use testkit::{Database, World, mint, on_each_database, permit};

use crate::{claim, report};

on_each_database!(
    a_host_is_worked_on_by_one_job,
    what_is_claimed_at_once_is_what_is_claimed_one_by_one,
    what_ends_at_once_ends_as_one_by_one,
    teams_take_turns,
    an_environment_has_room_for_so_many_deploys,
    what_is_behind_many_that_wait_is_found,
    what_waited_for_a_job_that_never_began_goes_on,
    a_host_is_busy_for_one_job_in_the_database,
);

/// From now on it is about this service of this team, on some of the hosts.
async fn turn_to(world: &mut World, slug: &str, team: TeamId) {
    let mut service = testkit::service(slug, team);
    service.installation.install_root = format!("/opt/{slug}");
    let resource = Resource::new(Kind::Service, service.id, slug).of_team(team);
    let leave = permit(&world.omar, Action::OnboardService, resource);
    let inserted = world
        .store()
        .service_insert(&leave, &service, testkit::start());
    inserted.await.unwrap();
    if world.team.id != team {
        std::mem::swap(&mut world.team, &mut world.other_team);
    }
    world.service = service;
}

async fn end(world: &World, claimed: &Claimed) {
    let (permit, now) = (world.worker_permit(), world.clock.now());
    let (id, fencing) = (claimed.attempt.id, claimed.attempt.fencing);
    let store = world.store();
    let running = store.attempt_state(&permit, id, fencing, AttemptState::Running, now);
    running.await.unwrap();
    let done = report(JobEnd::Completed);
    let finish = world.finish(id, fencing, AttemptState::Succeeded, &done);
    finish.await.unwrap();
}

async fn a_host_is_worked_on_by_one_job(db: Database) {
    let mut world = World::new(db, 3).await;
    let first = world.released("1.1.0").await;
    let other = world.other_team.id;
    turn_to(&mut world, "basket", other).await;
    let second = world.released("2.0.0").await;
    let working = claim(&world, "w1").await.unwrap();
    assert_eq!(working.rollout, first);
    assert_eq!(
        claim(&world, "w1").await,
        None,
        "its host is being worked on, for another service"
    );
    let jobs = world
        .store()
        .jobs(&world.everything(), second)
        .await
        .unwrap();
    let waits = world
        .store()
        .busy_host(&world.everything(), jobs[0].id)
        .await
        .unwrap();
    assert_eq!(waits.as_deref(), Some("web-00003"));
    let runs = world
        .store()
        .busy_host(&world.everything(), working.job)
        .await
        .unwrap();
    assert_eq!(runs, None, "it waits for nothing");
    end(&world, &working).await;
    assert_eq!(claim(&world, "w1").await.unwrap().rollout, second);
}

async fn teams_take_turns(db: Database) {
    let mut world = World::new(db, 12).await;
    let (hosts, team, other) = (world.hosts.clone(), world.team.id, world.other_team.id);
    let mut queued = Vec::new();
    // Three jobs of one team are queued before the first of the other.
    for (slug, team, hosts) in [
        ("basket", team, &hosts[..3]),
        ("search", team, &hosts[3..6]),
        ("prices", team, &hosts[6..9]),
        ("stock", other, &hosts[9..]),
    ] {
        turn_to(&mut world, slug, team).await;
        world.hosts = hosts.to_vec();
        queued.push(world.released("1.1.0").await);
        world.clock.advance_seconds(1);
    }
    let mut order = Vec::new();
    while let Some(claimed) = claim(&world, "w1").await {
        order.push(claimed.rollout);
    }
    assert_eq!(order, [queued[0], queued[3], queued[1], queued[2]]);
}

/// Six services with a deploy each, of two teams, on three sets of hosts; three of them can run at once.
async fn crowded(db: Database) -> World {
    let mut world = World::new(db, 9).await;
    let (hosts, team, other) = (world.hosts.clone(), world.team.id, world.other_team.id);
    for (slug, team, hosts) in [
        ("basket", team, &hosts[..3]),
        ("search", team, &hosts[..3]),
        ("prices", team, &hosts[3..6]),
        ("stock", other, &hosts[3..6]),
        ("offers", team, &hosts[6..]),
        ("mail", other, &hosts[6..]),
    ] {
        turn_to(&mut world, slug, team).await;
        world.hosts = hosts.to_vec();
        world.released("1.1.0").await;
        world.clock.advance_seconds(1);
    }
    world
}

async fn claim_at_once(world: &World, room: Room) -> Vec<Claimed> {
    let (permit, now) = (world.worker_permit(), world.clock.now());
    let claim = Claim {
        permit: &permit,
        worker: "w1",
        now,
        lease_until: now,
    };
    let claimed = world.store().claim(claim, room, || AttemptId(mint()));
    claimed.await.unwrap()
}

async fn what_is_claimed_at_once_is_what_is_claimed_one_by_one(db: Database) {
    let world = crowded(db).await;
    let mut one_by_one = Vec::new();
    while let Some(claimed) = claim(&world, "w1").await {
        one_by_one.push(claimed);
    }
    let (permit, now) = (world.worker_permit(), world.clock.now());
    for claimed in &one_by_one {
        let Claimed { attempt, .. } = claimed;
        let requeue = world
            .store()
            .attempt_requeue(&permit, attempt.id, attempt.fencing, now);
        requeue.await.unwrap();
    }
    let room = Room {
        jobs: 8,
        deploys: 8,
        in_environment: 8,
    };
    let jobs = |claimed: &[Claimed]| {
        claimed
            .iter()
            .map(|claimed| claimed.job)
            .collect::<Vec<_>>()
    };
    let at_once = claim_at_once(&world, room).await;
    assert_eq!(jobs(&at_once), jobs(&one_by_one));
    for claimed in &at_once {
        let Claimed { attempt, .. } = claimed;
        let requeue = world
            .store()
            .attempt_requeue(&permit, attempt.id, attempt.fencing, now);
        requeue.await.unwrap();
    }
    let room = Room { jobs: 2, ..room };
    let at_once = claim_at_once(&world, room).await;
    let services = async |claimed: &[Claimed]| {
        let mut services = Vec::new();
        for claimed in claimed {
            let job = world.store().job(&world.everything(), claimed.job).await;
            services.push(job.unwrap().service);
        }
        services
    };
    assert_eq!(
        services(&at_once).await,
        ["basket", "stock"],
        "the oldest, then the oldest of the other team, whose turn it is"
    );
    let rest = claim_at_once(&world, Room { jobs: 8, ..room }).await;
    assert_eq!(
        services(&rest).await,
        ["offers"],
        "all others wait for hosts"
    );
    for claimed in at_once.iter().chain(&rest) {
        end(&world, claimed).await;
    }
    let few = Room {
        deploys: 1,
        ..Room { jobs: 8, ..room }
    };
    assert_eq!(claim_at_once(&world, few).await.len(), 1);
    let few = Room {
        in_environment: 2,
        ..Room { jobs: 8, ..room }
    };
    assert_eq!(claim_at_once(&world, few).await.len(), 1);
    assert_eq!(claim_at_once(&world, few).await, []);
}

async fn what_ends_at_once_ends_as_one_by_one(db: Database) {
    let world = crowded(db).await;
    let room = Room {
        jobs: 8,
        deploys: 8,
        in_environment: 8,
    };
    let claimed = claim_at_once(&world, room).await;
    let ended = |claimed: &Claimed, end: JobEnd, state: AttemptState| Ended {
        attempt: claimed.attempt.id,
        fencing: claimed.attempt.fencing,
        state,
        message: state.word().to_owned(),
        report: report(end),
    };
    let could_not = JobEnd::CouldNotStart {
        message: "No space left.".to_owned(),
    };
    let all = [
        ended(&claimed[0], JobEnd::Completed, AttemptState::Succeeded),
        Ended {
            fencing: 7,
            ..ended(&claimed[1], JobEnd::Completed, AttemptState::Succeeded)
        },
        ended(&claimed[2], could_not, AttemptState::Failed),
    ];
    let (permit, now, store) = (world.worker_permit(), world.clock.now(), world.store());
    let refused = store.attempts_finish(&permit, &all, now).await.unwrap();
    assert_eq!(refused, [claimed[1].attempt.id], "that number is not its");
    let finished = store.finished_jobs(10).await.unwrap();
    let mut reports: Vec<_> = finished.iter().map(|job| (job.job, &job.report)).collect();
    reports.sort_by_key(|(job, _)| *job);
    let mut expected = vec![
        (claimed[0].job, &all[0].report),
        (claimed[2].job, &all[2].report),
    ];
    expected.sort_by_key(|(job, _)| *job);
    assert_eq!(reports, expected);
    for (claimed, ended) in [(&claimed[0], &all[0]), (&claimed[2], &all[2])] {
        let job = store.job(&world.everything(), claimed.job).await.unwrap();
        assert_eq!((job.state, &job.message), (ended.state, &ended.message));
        assert_eq!(job.ended_at, Some(now));
    }
    let open: Vec<_> = store.open_attempts().await.unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].job, claimed[1].job, "it goes on");
    let again = store
        .attempts_finish(&permit, &all[..1], now)
        .await
        .unwrap();
    assert_eq!(again, [claimed[0].attempt.id], "it ends once");
    let open = [ended(&claimed[1], JobEnd::Completed, AttemptState::Running)];
    let open = store.attempts_finish(&permit, &open, now).await;
    assert!(open.is_err(), "that is no end");
    let next = claim_at_once(&world, room).await;
    assert_eq!(next.len(), 2, "their hosts are free");
}

async fn an_environment_has_room_for_so_many_deploys(db: Database) {
    let mut world = World::new(db, 6).await;
    let hosts = world.hosts.clone();
    world.hosts = hosts[..3].to_vec();
    world.released("1.1.0").await;
    let other = world.other_team.id;
    turn_to(&mut world, "basket", other).await;
    world.hosts = hosts[3..].to_vec();
    let second = world.released("2.0.0").await;
    let one = async || {
        let room = Room {
            in_environment: 1,
            ..Room::ONE
        };
        world.claim("w1", room).await
    };
    let first = one().await.unwrap();
    assert_eq!((first.kind, one().await), (JobKind::Deploy, None));
    end(&world, &first).await;
    assert_eq!(one().await.unwrap().rollout, second);
}

/// Queues a deploy to some of the world's hosts, for a service of its own.
async fn queue(world: &mut World, slug: &str, hosts: &[Host]) -> RolloutId {
    let team = world.team.id;
    turn_to(world, slug, team).await;
    world.hosts = hosts.to_vec();
    world.clock.advance_seconds(1);
    world.released("1.1.0").await
}

async fn what_is_behind_many_that_wait_is_found(db: Database) {
    const MANY: usize = 60;
    let mut world = World::new(db, 6).await;
    let hosts = world.hosts.clone();
    let first = queue(&mut world, "first", &hosts[..3]).await;
    let working = claim(&world, "w1").await.unwrap();
    assert_eq!(working.rollout, first);
    let mut waiting = Vec::new();
    for number in 0..MANY {
        waiting.push(queue(&mut world, &format!("waits-{number}"), &hosts[..3]).await);
    }
    let behind = queue(&mut world, "behind", &hosts[3..]).await;
    assert_eq!(claim(&world, "w1").await.unwrap().rollout, behind);
    assert_eq!(claim(&world, "w1").await, None);
    end(&world, &working).await;
    for waited in &waiting[..3] {
        let next = claim(&world, "w1").await.unwrap();
        assert_eq!(
            next.rollout, *waited,
            "the oldest first, as if nobody had waited"
        );
        assert_eq!(claim(&world, "w1").await, None);
        end(&world, &next).await;
    }
}

async fn what_waited_for_a_job_that_never_began_goes_on(db: Database) {
    let mut world = World::new(db, 3).await;
    let hosts = world.hosts.clone();
    let first = queue(&mut world, "first", &hosts).await;
    let working = claim(&world, "w1").await.unwrap();
    let second = queue(&mut world, "second", &hosts).await;
    assert_eq!(claim(&world, "w1").await, None);
    let (permit, now) = (world.worker_permit(), world.clock.now());
    let attempt = &working.attempt;
    let requeue = world
        .store()
        .attempt_requeue(&permit, attempt.id, attempt.fencing, now);
    requeue.await.unwrap();
    let again = claim(&world, "w1").await.unwrap();
    assert_eq!((again.rollout, again.attempt.number), (first, 2));
    assert_eq!(claim(&world, "w1").await, None);
    end(&world, &again).await;
    assert_eq!(claim(&world, "w1").await.unwrap().rollout, second);
}

async fn a_host_is_busy_for_one_job_in_the_database(db: Database) {
    let mut world = World::new(db, 3).await;
    let hosts = world.hosts.clone();
    queue(&mut world, "first", &hosts).await;
    claim(&world, "w1").await.unwrap();
    queue(&mut world, "second", &hosts).await;
    let second = "INSERT INTO busy_hosts (host_id, job_id) SELECT h.host_id, h.job_id FROM job_hosts h JOIN jobs j ON j.id = h.job_id WHERE j.stage = 'queued'";
    assert!(world.db.try_run(second).await.is_err());
}
