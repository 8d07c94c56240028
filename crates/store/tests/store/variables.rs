//! Variables: one for each name and place, secrets as ciphertext only, each owner's own.

use domain::{
    audit::Changed,
    id::VariableId,
    variable::{Place, Variable, VariableKind},
};
use policy::{Action, Kind, Permit, Resource, SystemAction};
use store::{AuditFilter, NewVariable, Owner, StoreError};
use testkit::{Database, World, mint, on_each_database, permit, system};

on_each_database!(
    one_name_at_one_place_has_one_value,
    a_rollout_is_given_what_reaches_it,
    a_secret_is_kept_as_ciphertext,
    a_variable_is_removed_by_its_owner_only,
);

/// A text, or a secret where `value` is none.
fn variable(name: &str, place: Place, value: Option<&str>) -> Variable {
    Variable {
        id: VariableId(mint()),
        name: name.parse().unwrap(),
        kind: match value {
            Some(_) => VariableKind::Text,
            None => VariableKind::Secret,
        },
        place,
        value: value.map(Into::into),
    }
}

fn everywhere(world: &World) -> Place {
    Place {
        service: Some(world.service.id),
        environment: None,
        group: None,
    }
}

fn of_service(world: &World) -> Permit {
    let service = &world.service;
    let resource = Resource::new(Kind::Service, service.id, &service.slug).of_team(service.team);
    permit(&world.maria, Action::ConfigureService, resource)
}

async fn set(world: &World, variable: &Variable) {
    let sealed = variable.value.is_none().then_some("ciphertext");
    let new = NewVariable { variable, sealed };
    let (permit, now) = (of_service(world), world.clock.now());
    world.store().variable_set(&permit, new, now).await.unwrap();
}

async fn listed(world: &World) -> Vec<(String, Option<String>)> {
    let owner = Owner::Service(world.service.id);
    let rows = world.store().variables(&world.everything(), owner).await;
    let rows = rows.unwrap().into_iter();
    rows.map(|row| (row.name, row.value)).collect()
}

async fn one_name_at_one_place_has_one_value(db: Database) {
    let world = World::new(db, 1).await;
    let here = Place {
        environment: Some(world.environment.id),
        ..everywhere(&world)
    };
    set(
        &world,
        &variable("http_port", everywhere(&world), Some("1")),
    )
    .await;
    set(&world, &variable("http_port", here.clone(), Some("2"))).await;
    set(
        &world,
        &variable("http_port", everywhere(&world), Some("3")),
    )
    .await;
    let web = Place {
        group: Some("web".parse().unwrap()),
        ..here
    };
    set(&world, &variable("http_port", web, Some("4"))).await;
    let port = |value: &str| ("http_port".to_owned(), Some(value.to_owned()));
    assert_eq!(listed(&world).await, [port("3"), port("2"), port("4")]);
    let events = world
        .store()
        .audit(&world.everything(), &AuditFilter::default(), None, 10)
        .await
        .unwrap()
        .items;
    let said: Vec<&str> = events
        .iter()
        .take(2)
        .map(|row| row.summary.as_str())
        .collect();
    assert_eq!(
        said,
        [
            "Variable http_port of the group web was set to “4”",
            "Variable http_port was set to “3”"
        ]
    );
    let changed = |before: &str, after: &str| Changed {
        what: "Value".to_owned(),
        before: before.to_owned(),
        after: after.to_owned(),
    };
    assert_eq!(events[0].changes, [changed("", "“4”")]);
    assert_eq!(events[1].changes, [changed("“1”", "“3”")]);
}

async fn a_rollout_is_given_what_reaches_it(db: Database) {
    let world = World::new(db, 1).await;
    let other = testkit::service("search", world.other_team.id);
    let resource = Resource::new(Kind::Service, other.id, &other.slug).of_team(other.team);
    let onboard = permit(&world.otto, Action::OnboardService, resource.clone());
    let now = world.clock.now();
    world
        .store()
        .service_insert(&onboard, &other, now)
        .await
        .unwrap();
    let elsewhere = testkit::environment("staging");
    let inventory = permit(
        &world.omar,
        Action::ManageInventory,
        Resource::new(Kind::Environment, elsewhere.id, &elsewhere.slug),
    );
    world
        .store()
        .environment_insert(&inventory, &elsewhere, now)
        .await
        .unwrap();
    let place = |service, environment| Place {
        service,
        environment,
        group: None,
    };
    let (here, there) = (Some(world.environment.id), Some(elsewhere.id));
    let (ours, theirs) = (Some(world.service.id), Some(other.id));
    for (name, place) in [
        ("a", place(ours, None)),
        ("b", place(ours, here)),
        ("c", place(None, here)),
        ("x1", place(ours, there)),
        ("x2", place(None, there)),
        ("x3", place(theirs, None)),
        ("x4", place(theirs, here)),
    ] {
        set(&world, &variable(name, place, Some("1"))).await;
    }
    let found = world
        .store()
        .variables_for(&world.everything(), world.service.id, world.environment.id)
        .await
        .unwrap();
    let names: Vec<&str> = found.iter().map(|found| found.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);

    let (store, owner) = (world.store(), Owner::Service(world.service.id));
    let seen = store.variables(&world.scope_of(&world.otto), owner).await;
    assert_eq!(seen.unwrap(), [], "another team's are not seen");
}

async fn a_secret_is_kept_as_ciphertext(db: Database) {
    let world = World::new(db, 1).await;
    let secret = variable("db_password", everywhere(&world), None);
    set(&world, &secret).await;
    assert_eq!(listed(&world).await, [("db_password".to_owned(), None)]);
    let job = system(SystemAction::RUN_JOB, Resource::new(Kind::Job, "", ""));
    let found = world.store().secrets(&job, &[secret.id]).await.unwrap();
    assert_eq!(found[&secret.id], (secret.clone(), "ciphertext".to_owned()));

    // The database itself refuses a secret in plain text, and a text as ciphertext.
    for (kind, value, sealed) in [
        (VariableKind::Secret, Some("plain".into()), None),
        (VariableKind::Secret, Some("plain".into()), Some("x")),
        (VariableKind::Text, None, Some("x")),
        (VariableKind::Text, None, None),
    ] {
        let wrong = Variable {
            kind,
            value,
            ..secret.clone()
        };
        let new = NewVariable {
            variable: &wrong,
            sealed,
        };
        let (permit, now) = (of_service(&world), world.clock.now());
        let refused = world.store().variable_set(&permit, new, now).await;
        assert!(refused.is_err(), "{wrong:?} {sealed:?}");
    }
    assert_eq!(listed(&world).await, [("db_password".to_owned(), None)]);
}

async fn a_variable_is_removed_by_its_owner_only(db: Database) {
    let world = World::new(db, 1).await;
    let port = variable("http_port", everywhere(&world), Some("1"));
    set(&world, &port).await;
    let (permit, now) = (of_service(&world), world.clock.now());
    for owner in [
        Owner::Service(domain::id::ServiceId(mint())),
        Owner::Environment(world.environment.id),
    ] {
        let refused = world
            .store()
            .variable_remove(&permit, owner, port.id, now)
            .await;
        assert!(matches!(refused, Err(StoreError::NotFound { .. })));
    }
    let owner = Owner::Service(world.service.id);
    let remove = || world.store().variable_remove(&permit, owner, port.id, now);
    remove().await.unwrap();
    assert!(matches!(remove().await, Err(StoreError::NotFound { .. })));
    assert_eq!(listed(&world).await, []);
}
