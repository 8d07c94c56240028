//! What an import changes, keeps and takes away.

use domain::{id::HostId, inventory::Absent, rollout::Event};
use policy::Action;
use store::{Import, Imported, StoreError};
use testkit::{Database, World, mint, on_each_database};

on_each_database!(
    an_import_says_what_it_changed,
    a_host_leaves_and_comes_back,
    a_host_that_a_rollout_holds_does_not_leave,
    what_was_shown_is_what_is_taken_over,
    names_may_move_among_many_hosts,
);

async fn an_import_says_what_it_changed(db: Database) {
    let world = World::new(db, 30).await;
    let mut hosts = world.hosts.clone();
    for host in &mut hosts {
        host.variables
            .insert("slipway_restart_command".to_owned(), "s3cret".into());
    }
    hosts[0].variables.remove("ansible_port");
    hosts[1].criticality = domain::host::Criticality::High;
    let mut new = testkit::hosts(world.environment.id, 31).remove(30);
    new.id = HostId(mint());
    hosts.push(new);
    world
        .store()
        .hosts_import(
            &world.inventory_permit(),
            world.environment.id,
            testkit::inventory(&hosts),
            testkit::start(),
        )
        .await
        .unwrap();
    let event = world
        .store()
        .audit(&world.everything(), &store::AuditFilter::default(), None, 1)
        .await
        .unwrap()
        .items
        .remove(0);
    assert_eq!(
        event.summary,
        "Hosts were imported: 1 new, 30 changed, 0 removed, 0 as before"
    );
    let said = event.reason;
    assert!(
        said.starts_with("New: web-00031. Changed: web-00001, web-00002, ")
            && said.ends_with(
                "web-00020 and 10 more. What changed: ansible_port, criticality, slipway_restart_command."
            ),
        "{said}"
    );
}

/// Takes these hosts over as the whole inventory.
pub(crate) async fn whole(
    world: &World,
    hosts: &[domain::host::Host],
) -> Result<Imported, StoreError> {
    let import = Import {
        absent: Absent::Remove,
        ..testkit::inventory(hosts)
    };
    let (permit, now) = (world.inventory_permit(), world.clock.now());
    world
        .store()
        .hosts_import(&permit, world.environment.id, import, now)
        .await
}

async fn a_host_leaves_and_comes_back(db: Database) {
    let world = World::new(db, 3).await;
    let (store, environment, all) = (world.store(), world.environment.id, world.everything());
    let gone = world.hosts[2].clone();
    let imported = whole(&world, &world.hosts[..2]).await.unwrap();
    assert_eq!((imported.removed, imported.unchanged), (1, 2));
    for group in ["all", "web"] {
        let left = store
            .hosts_in_group(&all, environment, group)
            .await
            .unwrap();
        assert_eq!(left, world.hosts[..2]);
    }
    let page = store.hosts(&all, environment, None, 10).await.unwrap();
    assert_eq!(page.items.len(), 2);
    assert_eq!(store.environments(&all).await.unwrap()[0].hosts, 2);

    // Its name and its address are free, also elsewhere.
    let mut other = gone.clone();
    other.id = HostId(mint());
    other.identity = "i-other".to_owned();
    let mut hosts = world.hosts[..2].to_vec();
    hosts.push(other);
    assert_eq!(whole(&world, &hosts).await.unwrap().added, 1);

    // It comes back under the id it had, once the name is free again.
    let mut back = gone.clone();
    back.id = HostId(mint());
    hosts[2] = back;
    let imported = whole(&world, &hosts).await.unwrap();
    assert_eq!((imported.added, imported.removed), (1, 1));
    let now = store
        .hosts_in_group(&all, environment, "web")
        .await
        .unwrap();
    assert_eq!(now, world.hosts);
    assert_eq!(store.environments(&all).await.unwrap()[0].hosts, 3);
}

async fn a_host_that_a_rollout_holds_does_not_leave(db: Database) {
    let world = World::new(db, 6).await;
    let rollout = world.released("1.5.0").await;
    world.work_off("1.5.0").await;
    world.work_off("1.5.0").await;
    let leaves = world.load(rollout).await.rollout.plan.batches[0].hosts[0].id;
    let mut left = world.hosts.clone();
    left.retain(|host| host.id != leaves);
    let refused = whole(&world, &left).await.unwrap_err().to_string();
    assert!(
        refused.ends_with(" cannot be removed: the rollout of checkout 1.5.0 to production holds it. Let that rollout end first, or keep the hosts that the inventory does not name."),
        "{refused}"
    );
    let abort = Event::Abort {
        reason: "enough".parse().unwrap(),
    };
    world
        .act(&world.omar, Action::Abort, rollout, abort)
        .await
        .unwrap();
    whole(&world, &left).await.unwrap();
    let back = Event::RollBack {
        reason: "after all".parse().unwrap(),
    };
    world
        .act(&world.omar, Action::RollBack, rollout, back)
        .await
        .unwrap();
    world.work_off("1.0.0").await;
    let cells = world
        .store()
        .host_cells(&world.everything(), rollout, Some(1), None, 10)
        .await
        .unwrap()
        .items;
    let stood: Vec<_> = cells.iter().map(|cell| cell.phase.word()).collect();
    assert_eq!(
        stood,
        ["gone", "rolled_back"],
        "who left the inventory is not touched, and is told apart"
    );
}

async fn what_was_shown_is_what_is_taken_over(db: Database) {
    let world = World::new(db, 3).await;
    let (store, environment) = (world.store(), world.environment.id);
    let hosts = &world.hosts[..2];
    let shown = store
        .inventory_difference(&world.everything(), environment, hosts, Absent::Remove)
        .await
        .unwrap();
    assert_eq!(shown.removed(), &world.hosts[2..]);
    let seen = shown.digest().unwrap();
    let take = async |hosts, absent| {
        let import = Import {
            hosts,
            absent,
            seen: Some(&seen),
        };
        let (permit, now) = (world.inventory_permit(), world.clock.now());
        store.hosts_import(&permit, environment, import, now).await
    };
    for (hosts, absent) in [(hosts, Absent::Keep), (&world.hosts[..1], Absent::Remove)] {
        let refused = take(hosts, absent).await.unwrap_err();
        assert!(
            refused
                .to_string()
                .starts_with("This is not the difference that was shown"),
            "{refused}"
        );
    }
    assert_eq!(take(hosts, Absent::Remove).await.unwrap().removed, 1);
    assert!(
        take(hosts, Absent::Remove).await.is_err(),
        "it is another difference now"
    );
}

async fn names_may_move_among_many_hosts(db: Database) {
    let world = World::new(db, 3).await;
    let known = world.hosts[0].clone();
    let mut hosts = testkit::hosts(world.environment.id, 1200);
    for (number, host) in (0..).zip(&mut hosts) {
        host.identity = format!("i-new-{number}");
        host.variables.insert(
            "ansible_host".to_owned(),
            format!("10.7.{}.{}", number / 250, number % 250).into(),
        );
    }
    // The known one is written last, and its name is taken by the first.
    let mut renamed = known.clone();
    renamed.name = "was-first".parse().unwrap();
    hosts.push(renamed);
    assert_eq!(hosts[0].name, known.name);
    let imported = whole(&world, &hosts).await.unwrap();
    assert_eq!(
        (imported.added, imported.changed, imported.removed),
        (1200, 1, 2)
    );
}
