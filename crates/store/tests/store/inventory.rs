//! Services, environments, hosts.

use domain::{id::HostId, inventory::Absent};
use policy::{Action, Kind, Resource};
use store::{Imported, StoreError};
use testkit::{Database, World, mint, on_each_database, permit};

use crate::imports::whole;

on_each_database!(
    hosts_are_known_by_identity,
    hosts_may_swap_names,
    hosts_cannot_share_a_name,
    groups_follow_the_inventory,
    a_slug_is_taken_once,
    a_host_page_is_stable,
    a_machine_belongs_to_one_environment,
    who_takes_a_name_is_another_machine,
    a_folder_belongs_to_one_service
);

const NOTHING: Imported = Imported {
    added: 0,
    changed: 0,
    removed: 0,
    unchanged: 0,
};

async fn hosts_are_known_by_identity(db: Database) {
    let world = World::new(db, 6).await;
    let (store, permit, environment) = (
        world.store(),
        world.inventory_permit(),
        world.environment.id,
    );
    let import = |hosts| {
        let permit = permit.clone();
        async move {
            store
                .hosts_import(
                    &permit,
                    environment,
                    testkit::inventory(hosts),
                    testkit::start(),
                )
                .await
                .unwrap()
        }
    };
    assert_eq!(
        import(&world.hosts).await,
        Imported {
            unchanged: 6,
            ..NOTHING
        }
    );

    let mut hosts = world.hosts.clone();
    hosts[0].name = "db-1".parse().unwrap();
    hosts[0].id = HostId(mint());
    hosts.push(testkit::hosts(environment, 7).remove(6));
    hosts.remove(1);
    assert_eq!(
        import(&hosts).await,
        Imported {
            added: 1,
            changed: 1,
            unchanged: 4,
            ..NOTHING
        }
    );
    let now = store
        .hosts_in_group(&world.everything(), environment, "all")
        .await
        .unwrap();
    assert_eq!(now.len(), 7, "an import never deletes");
    let renamed = now
        .iter()
        .find(|host| host.name.as_str() == "db-1")
        .unwrap();
    assert_eq!(
        renamed.id, world.hosts[0].id,
        "a renamed host stays the same host"
    );
    assert_eq!(
        store.environments(&world.everything()).await.unwrap()[0].hosts,
        7
    );
    let elsewhere = store
        .hosts_import(
            &permit,
            domain::id::EnvironmentId(mint()),
            testkit::inventory(&hosts),
            testkit::start(),
        )
        .await;
    assert!(matches!(elsewhere, Err(StoreError::NotFound { .. })));
}

async fn hosts_may_swap_names(db: Database) {
    let world = World::new(db, 3).await;
    let mut hosts = world.hosts.clone();
    let (first, second) = (hosts[0].name.clone(), hosts[1].name.clone());
    hosts[0].name = second;
    hosts[1].name = first;
    let imported = world
        .store()
        .hosts_import(
            &world.inventory_permit(),
            world.environment.id,
            testkit::inventory(&hosts),
            testkit::start(),
        )
        .await
        .unwrap();
    assert_eq!(
        imported,
        Imported {
            changed: 2,
            unchanged: 1,
            ..NOTHING
        }
    );
    let mut now = world
        .store()
        .hosts_in_group(&world.everything(), world.environment.id, "all")
        .await
        .unwrap();
    now.sort_by_key(|host| host.id);
    assert_eq!(now, hosts);
}

async fn hosts_cannot_share_a_name(db: Database) {
    let world = World::new(db, 3).await;
    let (store, permit, environment) = (
        world.store(),
        world.inventory_permit(),
        world.environment.id,
    );
    let mut twin = world.hosts[0].clone();
    twin.identity = "i-twin".to_owned();
    twin.id = HostId(mint());
    for hosts in [
        vec![twin.clone()],
        vec![world.hosts[0].clone(), twin.clone()],
        vec![twin.clone(), twin],
    ] {
        let refused = store
            .hosts_import(
                &permit,
                environment,
                testkit::inventory(&hosts),
                testkit::start(),
            )
            .await
            .unwrap_err();
        assert!(
            matches!(
                refused,
                StoreError::Duplicate {
                    field: "inventory",
                    ..
                }
            ),
            "{refused}"
        );
    }
    assert_eq!(
        store
            .hosts_in_group(&world.everything(), environment, "all")
            .await
            .unwrap(),
        world.hosts
    );
}

async fn groups_follow_the_inventory(db: Database) {
    let world = World::new(db, 3).await;
    let (store, environment) = (world.store(), world.environment.id);
    let in_group = async |group: &str| {
        store
            .hosts_in_group(&world.everything(), environment, group)
            .await
            .unwrap()
            .len()
    };
    assert_eq!(
        (
            in_group("web").await,
            in_group("db").await,
            in_group("all").await
        ),
        (3, 0, 3)
    );
    let mut hosts = world.hosts.clone();
    hosts[2].groups = ["db".to_owned()].into();
    store
        .hosts_import(
            &world.inventory_permit(),
            environment,
            testkit::inventory(&hosts),
            testkit::start(),
        )
        .await
        .unwrap();
    assert_eq!(
        (
            in_group("web").await,
            in_group("db").await,
            in_group("all").await
        ),
        (2, 1, 3)
    );
    let row = store
        .hosts(&world.everything(), environment, None, 1)
        .await
        .unwrap()
        .items
        .remove(0);
    assert_eq!(
        (row.address.as_str(), row.groups.as_slice()),
        ("10.0.0.2:2222", ["web".to_owned()].as_slice())
    );
}

async fn a_slug_is_taken_once(db: Database) {
    let world = World::new(db, 3).await;
    let service = testkit::service("checkout", world.other_team.id);
    let leave = permit(
        &world.omar,
        Action::OnboardService,
        Resource::new(Kind::Service, service.id, &service.slug),
    );
    let refused = world
        .store()
        .service_insert(&leave, &service, testkit::start())
        .await
        .unwrap_err();
    assert_eq!(
        refused,
        StoreError::Duplicate {
            field: "slug",
            message: "There is already a service “checkout”. Choose another short name.".to_owned()
        }
    );
    let environment = testkit::environment("production");
    let refused = world
        .store()
        .environment_insert(&world.inventory_permit(), &environment, testkit::start())
        .await
        .unwrap_err();
    assert!(matches!(
        refused,
        StoreError::Duplicate { field: "slug", .. }
    ));
    let mut team = world.team.clone();
    team.id = domain::id::TeamId(mint());
    team.name = "Money".parse().unwrap();
    let kept = world
        .store()
        .ensure_team(&leave, &team, testkit::start())
        .await
        .unwrap();
    assert_eq!(kept, world.team.id, "a team keeps its id");
    assert_eq!(
        world
            .store()
            .teams(&world.scope_of(&world.maria))
            .await
            .unwrap()[0]
            .name
            .as_str(),
        "Money"
    );
}

async fn a_host_page_is_stable(db: Database) {
    let world = World::new(db, 25).await;
    let (store, environment, all) = (world.store(), world.environment.id, world.everything());
    let first = store.hosts(&all, environment, None, 10).await.unwrap();
    let mut early = testkit::hosts(environment, 1).remove(0);
    early.name = "aaa".parse().unwrap();
    early.identity = "i-early".to_owned();
    early
        .variables
        .insert("ansible_host".to_owned(), "10.9.9.9".into());
    store
        .hosts_import(
            &world.inventory_permit(),
            environment,
            testkit::inventory(&[early]),
            testkit::start(),
        )
        .await
        .unwrap();
    let second = store
        .hosts(&all, environment, first.next.as_deref(), 10)
        .await
        .unwrap();
    let third = store
        .hosts(&all, environment, second.next.as_deref(), 10)
        .await
        .unwrap();
    let names: Vec<String> = [first, second, third.clone()]
        .into_iter()
        .flat_map(|page| page.items)
        .map(|host| host.name)
        .collect();
    assert_eq!(
        names,
        world
            .hosts
            .iter()
            .map(|host| host.name.to_string())
            .collect::<Vec<_>>(),
        "none twice, none lost"
    );
    assert_eq!(third.next, None);
}

async fn a_machine_belongs_to_one_environment(db: Database) {
    let world = World::new(db, 3).await;
    let (store, now) = (world.store(), testkit::start());
    let scratch = domain::environment::Environment {
        purpose: domain::environment::Purpose::Test,
        approval: domain::environment::Approval::NotRequired,
        ..testkit::environment("scratch")
    };
    store
        .environment_insert(&world.inventory_permit(), &scratch, now)
        .await
        .unwrap();
    let import = async |environment, hosts: &[domain::host::Host]| {
        store
            .hosts_import(
                &world.inventory_permit(),
                environment,
                testkit::inventory(hosts),
                now,
            )
            .await
    };
    let production = world.environment.id;
    let other = |name: &str, identity: &str, address: &str| {
        let mut host = testkit::hosts(scratch.id, 1).remove(0);
        host.name = name.parse().unwrap();
        host.identity = identity.to_owned();
        host.variables
            .insert("ansible_host".to_owned(), address.into());
        host
    };
    let address = world.hosts[0].variables["ansible_host"].as_str().unwrap();
    for (host, known_by) in [
        (other("a", "a", address), "(address 10.0.0.2:2222)"),
        (
            other("a", "i-00000001", "10.9.9.9"),
            "(identity i-00000001)",
        ),
        (other("a", "i-00000001", address), "(address 10.0.0.2:2222)"),
    ] {
        let both = [other("b", "b", "10.9.9.8"), host];
        let everything = world.everything();
        let shown = store.inventory_difference(&everything, scratch.id, &both, Absent::Keep);
        let shown = shown.await.unwrap_err();
        let refused = import(scratch.id, &both).await.unwrap_err();
        assert_eq!(
            shown.to_string(),
            refused.to_string(),
            "what an import refuses is not shown as what it would do"
        );
        let said = refused.to_string();
        assert!(
            said.starts_with("Host a is a machine of the environment Production already")
                && said.contains(known_by),
            "{said}"
        );
    }
    assert!(
        store
            .hosts_in_group(&world.everything(), scratch.id, "all")
            .await
            .unwrap()
            .is_empty(),
        "nothing is half-written"
    );

    // Another machine of the same name is another machine.
    import(scratch.id, &[other("web-00001", "web-00001", "10.9.9.9")])
        .await
        .unwrap();
    // An address that was given up may be used elsewhere, and one in use may not come back.
    let mut moved = world.hosts[0].clone();
    moved
        .variables
        .insert("ansible_host".to_owned(), "10.9.9.7".into());
    import(production, &[moved]).await.unwrap();
    import(scratch.id, &[other("a", "a", address)])
        .await
        .unwrap();
    let refused = import(production, &world.hosts).await.unwrap_err();
    assert!(
        refused
            .to_string()
            .starts_with("Host web-00001 is a machine of the environment Scratch already"),
        "{refused}"
    );
    let direct = world
        .db
        .try_run("INSERT INTO machines (known_by, environment_id) SELECT known_by, environment_id FROM machines")
        .await;
    assert!(direct.is_err(), "the database itself keeps it");
}

async fn who_takes_a_name_is_another_machine(db: Database) {
    let world = World::new(db, 3).await;
    let mut nameless = testkit::hosts(world.environment.id, 4).remove(3);
    nameless.identity = nameless.name.to_string();
    let mut hosts = world.hosts.clone();
    hosts.push(nameless.clone());
    whole(&world, &hosts).await.unwrap();
    whole(&world, &world.hosts).await.unwrap();
    nameless.id = HostId(mint());
    hosts[3] = nameless.clone();
    whole(&world, &hosts).await.unwrap();
    let now = world
        .store()
        .hosts_in_group(&world.everything(), world.environment.id, "all")
        .await
        .unwrap();
    assert_eq!(
        now, hosts,
        "it has the id it came with, not that of its namesake"
    );
}

async fn a_folder_belongs_to_one_service(db: Database) {
    let world = World::new(db, 3).await;
    let mut service = testkit::service("basket", world.other_team.id);
    service.installation.install_root = world.service.installation.install_root.clone();
    let leave = permit(
        &world.omar,
        Action::OnboardService,
        Resource::new(Kind::Service, service.id, &service.slug),
    );
    let refused = world
        .store()
        .service_insert(&leave, &service, testkit::start())
        .await
        .unwrap_err();
    assert_eq!(
        refused,
        StoreError::Duplicate {
            field: "install_root",
            message: "The service Checkout is installed in “/opt/checkout” already. Give this one a folder of its own.".to_owned()
        }
    );
    service.installation.install_root = "/opt/basket".to_owned();
    world
        .store()
        .service_insert(&leave, &service, testkit::start())
        .await
        .unwrap();
}
