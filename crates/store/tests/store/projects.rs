//! Projects, and how the hosts of an environment are reached.

use domain::{
    id::ProjectId,
    project::{FetchedCommit, PlaybookPaths, Playbooks, Project, ProjectConfig, ProjectSource},
    reach::Reach,
};
use policy::{Action, Kind, Permit, Resource};
use store::StoreError;
use testkit::{Database, World, mint, on_each_database, permit};

on_each_database!(
    a_project_keeps_what_it_fetched_last,
    a_service_runs_the_playbooks_of_a_project,
    how_hosts_are_reached_is_kept_apart_from_its_secrets,
);

fn project(slug: &str) -> Project {
    Project {
        id: ProjectId(mint()),
        slug: slug.parse().unwrap(),
        name: slug.parse().unwrap(),
        source: ProjectSource {
            url: "https://git.example.org/playbooks.git".to_owned(),
            revision: "main".to_owned(),
            folder: String::new(),
            playbooks: PlaybookPaths {
                deploy: "deploy.yml".to_owned(),
                probe: "probe.yml".to_owned(),
                roll_back: "rollback.yml".to_owned(),
            },
            config: ProjectConfig::Ignored,
        },
        fetched: None,
    }
}

fn managing(world: &World, project: &Project) -> Permit {
    let resource = Resource::new(Kind::Project, project.id, &project.slug);
    permit(&world.omar, Action::ManageProjects, resource)
}

async fn set(world: &World, project: &Project, sealed: Option<&str>) -> Result<(), StoreError> {
    let (permit, now) = (managing(world, project), world.clock.now());
    let store = world.store();
    store.project_set(&permit, project, sealed, now).await
}

async fn a_project_keeps_what_it_fetched_last(db: Database) {
    let world = World::new(db, 1).await;
    let known = project("playbooks");
    set(&world, &known, Some("ciphertext")).await.unwrap();
    let (permit, now) = (managing(&world, &known), world.clock.now());
    let fetched = FetchedCommit {
        commit: "ab".repeat(20),
        subject: "Faster".to_owned(),
        authored_at: now,
        fetched_at: now,
    };
    let store = world.store();
    let found = Ok(&fetched);
    store
        .project_fetched(&permit, known.id, found, now)
        .await
        .unwrap();
    let failed = Err("The host is down.");
    store
        .project_fetched(&permit, known.id, failed, now)
        .await
        .unwrap();
    let row = store.projects(&world.everything()).await.unwrap().remove(0);
    assert_eq!(row.fetched, Some(fetched.clone()));
    assert_eq!(row.problem, "The host is down.");
    assert!(row.has_secret);
    let secret = store.project_access(&permit, known.id).await.unwrap();
    assert_eq!(secret.as_deref(), Some("ciphertext"));

    // Changed: what it fetched is as the caller says, and the complaint is gone.
    let moved = Project {
        fetched: None,
        ..known.clone()
    };
    set(&world, &moved, None).await.unwrap();
    let row = store.projects(&world.everything()).await.unwrap().remove(0);
    assert_eq!((row.fetched, row.problem.as_str()), (None, ""));
    assert!(!row.has_secret);

    let gone = store
        .project_fetched(&permit, ProjectId(mint()), Ok(&fetched), now)
        .await;
    assert!(matches!(gone, Err(StoreError::NotFound { .. })));
    let same_name = project("playbooks");
    assert!(set(&world, &same_name, None).await.is_err());
}

async fn a_service_runs_the_playbooks_of_a_project(db: Database) {
    let world = World::new(db, 1).await;
    let known = project("playbooks");
    set(&world, &known, None).await.unwrap();
    let service = &world.service;
    let resource = Resource::new(Kind::Service, service.id, &service.slug).of_team(service.team);
    let permit = permit(&world.maria, Action::ConfigureService, resource);
    let (store, now) = (world.store(), world.clock.now());
    for chosen in [
        Playbooks::DatadogAgent,
        Playbooks::Release,
        Playbooks::Project(known.id),
    ] {
        store
            .service_playbooks(&permit, service.id, chosen, "others", "", now)
            .await
            .unwrap();
        let read = store.service(&world.everything(), "checkout").await;
        assert_eq!(read.unwrap().playbooks, chosen);
    }
    let row = store.projects(&world.everything()).await.unwrap().remove(0);
    assert_eq!(row.services, 1);
}

async fn how_hosts_are_reached_is_kept_apart_from_its_secrets(db: Database) {
    let world = World::new(db, 1).await;
    let (store, id) = (world.store(), world.environment.id);
    let scope = world.everything();
    let nothing = store.environment_reach(&scope, id).await.unwrap();
    assert_eq!(nothing, Reach::default());
    let reach = Reach {
        user: "deploy".to_owned(),
        jump: vec!["ops@bastion:2222".to_owned()],
        ..Reach::default()
    };
    let resource = Resource::new(Kind::Environment, id, &world.environment.slug);
    let permit = permit(&world.omar, Action::ManageInventory, resource);
    let now = world.clock.now();
    store
        .environment_reach_set(&permit, &reach, "ciphertext", now)
        .await
        .unwrap();
    let read = store.environment_reach(&scope, id).await.unwrap();
    assert_eq!(read, reach);
    let sealed = store.environment_reach_sealed(&permit, id).await.unwrap();
    assert_eq!(sealed.as_deref(), Some("ciphertext"));
}
