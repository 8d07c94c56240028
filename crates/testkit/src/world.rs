//! A small installation: teams, people, a service, an environment with hosts, and rollouts that move through the store.

mod moves;

use domain::{environment::Environment, host::Host, service::Service, team::Team};
use policy::{Action, Grant, Kind, Permit, Resource, Role, Scope, Subject, SystemAction};
use store::{Person, Store, StoreError};

use crate::{Database, ManualClock, build, permit, system};

/// A small installation in one database.
#[derive(Debug)]
pub struct World {
    pub db: Database,
    pub clock: ManualClock,
    pub team: Team,
    pub other_team: Team,
    pub service: Service,
    pub environment: Environment,
    pub hosts: Vec<Host>,
    /// Operator everywhere.
    pub omar: Subject,
    /// Approver everywhere.
    pub ada: Subject,
    /// Member of `team` only.
    pub maria: Subject,
    /// Member of `other_team` only.
    pub otto: Subject,
}

impl World {
    /// Teams payments and search, the service checkout of payments, and the environment production with `many` hosts.
    pub async fn new(db: Database, many: usize) -> Self {
        let clock = ManualClock::default();
        let (team, other_team) = (build::team("payments"), build::team("search"));
        let service = build::service("checkout", team.id);
        let environment = build::environment("production");
        let hosts = build::hosts(environment.id, many);
        let member = |name: &str, team: &Team| Subject {
            grants: vec![Grant::new(Role::Member, Some(team.id))],
            ..crate::subject(name, Role::Member)
        };
        let (maria, otto) = (member("Maria", &team), member("Otto", &other_team));
        let world = Self {
            omar: crate::subject("Omar", Role::Operator),
            ada: crate::subject("Ada", Role::Approver),
            db,
            clock,
            team,
            other_team,
            service,
            environment,
            hosts,
            maria,
            otto,
        };
        world
            .fill()
            .await
            .expect("an empty database takes the installation");
        world
    }

    async fn fill(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        for team in [&self.team, &self.other_team] {
            self.store()
                .ensure_team(
                    &system(
                        SystemAction::SIGN_IN,
                        Resource::new(Kind::Team, team.id, &team.slug),
                    ),
                    team,
                    now,
                )
                .await?;
        }
        for subject in [&self.omar, &self.ada, &self.maria, &self.otto] {
            let person = Person {
                groups: Vec::new(),
                human: String::new(),
                id: subject.user,
                issuer: "https://id.example.org".to_owned(),
                subject: subject.name.to_lowercase(),
                name: subject.name.clone(),
                email: format!("{}@example.org", subject.name.to_lowercase()),
            };
            self.store()
                .sign_in(
                    &system(
                        SystemAction::SIGN_IN,
                        Resource::new(Kind::Person, person.id, &person.name),
                    ),
                    &person,
                    now,
                )
                .await?;
        }
        let service = &self.service;
        let resource =
            Resource::new(Kind::Service, service.id, &service.slug).of_team(service.team);
        self.store()
            .service_insert(
                &permit(&self.omar, Action::OnboardService, resource),
                service,
                now,
            )
            .await?;
        let inventory = self.inventory_permit();
        self.store()
            .environment_insert(&inventory, &self.environment, now)
            .await?;
        self.store()
            .hosts_import(
                &inventory,
                self.environment.id,
                crate::inventory(&self.hosts),
                now,
            )
            .await?;
        Ok(())
    }

    pub fn store(&self) -> &Store {
        &self.db.store
    }

    /// Leave to change the environment and its hosts.
    pub fn inventory_permit(&self) -> Permit {
        permit(
            &self.omar,
            Action::ManageInventory,
            Resource::new(
                Kind::Environment,
                self.environment.id,
                &self.environment.slug,
            ),
        )
    }

    /// Leave to run jobs.
    pub fn worker_permit(&self) -> Permit {
        system(
            SystemAction::RUN_JOB,
            Resource::new(Kind::Worker, "w1", "w1"),
        )
    }

    /// What everybody may see together.
    pub fn everything(&self) -> Scope {
        policy::system_scope()
    }

    pub fn scope_of(&self, subject: &Subject) -> Scope {
        policy::scope(subject).expect("the subject has a role")
    }
}
