//! The way back, and the main road with many hosts.

use domain::{
    delivery::DeploymentOutcome,
    host::HostPhase,
    rollout::{Event, RolloutState},
    verdict::Outcome,
};
use testkit::{Database, World, on_each_database};
use view::service::RunsOn;

use crate::{phases, verdict};

on_each_database!(
    a_bad_rollout_is_rolled_back,
    what_hosts_run_is_what_they_were_last_seen_to_run,
    ten_thousand_hosts,
);

async fn what_hosts_run_is_what_they_were_last_seen_to_run(db: Database) {
    let world = World::new(db, 6).await;
    let hosts: Vec<_> = world.hosts.iter().map(|host| host.id).collect();
    let seen = async |id| {
        let (everything, store) = (world.everything(), world.store());
        let cells = store.host_cells(&everything, id, None, None, 10).await;
        let before = cells.unwrap().items.into_iter().map(|c| c.version_before);
        let installed = store.installed(&everything, &hosts).await.unwrap();
        (before.collect::<Vec<_>>(), installed)
    };
    let none = || None::<String>;
    let version = |version: &str| Some(version.to_owned());

    let first = world.released("1.5.0").await;
    let (before, installed) = seen(first).await;
    assert_eq!(before, vec![none(); 6]);
    assert!(installed.is_empty());

    world.work_off("1.5.0").await;
    world.work_off("1.5.0").await;
    let (before, installed) = seen(first).await;
    assert_eq!(before[..3], [version("1.0.0"), version("1.0.0"), none()]);
    assert_eq!(installed.len(), 2);
    assert!(
        installed
            .values()
            .flatten()
            .eq([&("checkout".to_owned(), "1.5.0".to_owned()); 2])
    );
    let all = world.everything();
    let service = world.store().service_row(&all, world.service.id);
    let runs = [("production".to_owned(), "1.5.0 on 2".to_owned())];
    assert_eq!(service.await.unwrap().runs_in(), runs);

    world.clock.advance_seconds(30);
    let second = world.request("1.6.0").await;
    let (before, _) = seen(second).await;
    assert_eq!(before[..3], [version("1.5.0"), version("1.5.0"), none()]);
    let (before, _) = seen(first).await;
    assert_eq!(before[0], version("1.0.0"), "what was written stays");
    let withdraw = Event::Withdraw {
        reason: "not now".parse().unwrap(),
    };
    world
        .act(
            &world.omar,
            policy::Action::WithdrawRollout,
            second,
            withdraw,
        )
        .await
        .unwrap();
    let (before, _) = seen(second).await;
    assert_eq!(
        before,
        vec![none(); 6],
        "what it would have changed is past"
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
    let on = RunsOn {
        environment: "production".to_owned(),
        version: "1.0.0".to_owned(),
        hosts: 2,
    };
    assert_eq!(
        services.items[0].runs,
        [on],
        "what was rolled back is not shown as running"
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
