use axum::Router;
use domain::{host::HostPhase, inventory::Absent};
use store::Import;
use testkit::{Database, World};
use view::{error::ApiError, input::ActInput};

use crate::testing::console;

#[tokio::test]
async fn hosts_of_another_teams_rollout_are_not_found() {
    let world = World::new(Database::sqlite().await, 3).await;
    let id = world.request("1.1.0").await;
    let console = console(&world, Router::new()).await;
    let (maria, otto) = (
        console.ctx(world.maria.clone()),
        console.ctx(world.otto.clone()),
    );
    assert_eq!(
        maria.host_cells(id, None, None).await.unwrap().items.len(),
        3
    );
    assert_eq!(maria.host_cells(id, Some(9), None).await.unwrap().items, []);
    for batch in [None, Some(1), Some(9)] {
        let refused = otto.host_cells(id, batch, None).await.unwrap_err();
        assert!(matches!(refused, ApiError::NotFound { .. }), "{refused:?}");
    }
}

#[tokio::test]
async fn hosts_are_excluded_by_whoever_may_and_as_they_stand() {
    let world = World::new(Database::sqlite().await, 6).await;
    let id = world.released("1.1.0").await;
    // Both hosts of the first batch still run the old version, so it is held for them.
    world.work_off("1.0.0").await;
    let console = console(&world, Router::new()).await;
    let omar = console.ctx(world.omar.clone());
    let seen = omar.rollout(id).await.unwrap();
    let batch = async |number| {
        let page = omar.host_cells(id, Some(number), None).await.unwrap();
        page.items
            .into_iter()
            .map(|cell| cell.name)
            .collect::<Vec<_>>()
    };
    let (first, second) = (batch(1).await, batch(2).await);
    assert_eq!(seen.stuck, first);
    let asked = |hosts: String| ActInput {
        rollout: id.to_string(),
        decision_version: seen.decision_version,
        hosts,
        reason: "Its disk is being replaced.".to_owned(),
        ..ActInput::default()
    };
    let both = format!("{}, {}", first[0], second[0]);
    for (who, input, expected) in [
        (&world.otto, asked(both.clone()), "does not exist"),
        (&world.maria, asked(both.clone()), "SRE"),
        (&world.omar, asked(" , ".to_owned()), "Name the hosts"),
        (
            &world.omar,
            asked("web-9".to_owned()),
            "no host of that name: web-9",
        ),
        (&world.omar, asked(first.join(" ")), "no host left"),
        (
            &world.omar,
            ActInput {
                decision_version: seen.decision_version - 1,
                ..asked(both.clone())
            },
            "moved on",
        ),
        (
            &world.omar,
            ActInput {
                reason: String::new(),
                ..asked(both.clone())
            },
            "reason",
        ),
    ] {
        let refused = console.ctx(who.clone()).exclude(input).await.unwrap_err();
        let message = refused.message();
        assert!(
            message.to_lowercase().contains(&expected.to_lowercase()),
            "{expected}: {message}"
        );
    }
    assert_eq!(
        omar.rollout(id).await.unwrap().stuck,
        first,
        "nothing was done"
    );

    omar.exclude(asked(both)).await.unwrap();
    let view = omar.rollout(id).await.unwrap();
    assert_eq!(view.stuck, first[1..]);
    assert_eq!(
        view.batches[0].message,
        "1 host has still not taken the change."
    );
    let counts = |number: usize| view.batches[number].counts.clone();
    assert!(counts(0).contains(&(HostPhase::Excluded, 1)));
    assert!(counts(1).contains(&(HostPhase::Excluded, 1)));
    let again = ActInput {
        decision_version: view.decision_version,
        ..asked(first[0].clone())
    };
    let refused = omar.exclude(again).await.unwrap_err().message();
    assert!(refused.contains("is excluded already"), "{refused}");

    // The rollout never touches it again, so it may leave the inventory meanwhile.
    let left: Vec<_> = world
        .hosts
        .iter()
        .filter(|host| host.name.as_str() != first[0])
        .cloned()
        .collect();
    let import = Import {
        absent: Absent::Remove,
        ..testkit::inventory(&left)
    };
    let (permit, now) = (world.inventory_permit(), world.clock.now());
    let imported = world
        .store()
        .hosts_import(&permit, world.environment.id, import, now)
        .await
        .unwrap();
    assert_eq!(imported.removed, 1);
}
