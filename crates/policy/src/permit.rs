//! What policy hands out. Fields are private, so nothing else can make one.

use domain::{
    audit::{Actor, Request},
    id::{EnvironmentId, ServiceId, TeamId, UserId},
};

use crate::{Action, Grant, Kind, Place, Role};

/// What an action is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    pub kind: Kind,
    pub id: String,
    pub name: String,
    /// The team that owns it, and the service and the environment it is about; each where there is one.
    pub place: Place,
    /// The version the decision was made on; the store refuses another.
    pub version: Option<i64>,
    /// Who asked for it, for separation of duties.
    pub requested_by: Option<UserId>,
    /// Of a grant: the role, and who has it.
    pub held: Option<(Role, UserId)>,
}

impl Resource {
    /// A resource without owner, version or requester.
    pub fn new(kind: Kind, id: impl ToString, name: impl ToString) -> Self {
        Self {
            kind,
            id: id.to_string(),
            name: name.to_string(),
            place: Place::default(),
            version: None,
            requested_by: None,
            held: None,
        }
    }

    /// A role that somebody has, or is to have. The trail tells it of the person.
    pub fn grant(holder: UserId, name: impl ToString, grant: &Grant) -> Self {
        Self {
            place: grant.place,
            held: Some((grant.role, holder)),
            ..Self::new(Kind::Grant, holder, name)
        }
    }

    pub fn of_team(mut self, team: TeamId) -> Self {
        self.place.team = Some(team);
        self
    }

    pub fn of_service(mut self, service: ServiceId) -> Self {
        self.place.service = Some(service);
        self
    }

    pub fn in_environment(mut self, environment: EnvironmentId) -> Self {
        self.place.environment = Some(environment);
        self
    }

    pub fn at_version(self, version: i64) -> Self {
        Self {
            version: Some(version),
            ..self
        }
    }

    pub fn requested_by(self, user: UserId) -> Self {
        Self {
            requested_by: Some(user),
            ..self
        }
    }
}

/// Leave for one action on one resource. Every mutating store function takes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit {
    pub(crate) actor: Actor,
    pub(crate) request: Request,
    pub(crate) action: Action,
    pub(crate) allowed_by: String,
    pub(crate) resource: Resource,
}

impl Permit {
    pub const fn actor(&self) -> &Actor {
        &self.actor
    }

    /// The request that it was given in.
    pub const fn request(&self) -> Request {
        self.request
    }

    /// The same, for what Slipway does because of a request.
    pub fn with_request(self, request: Request) -> Self {
        Self { request, ..self }
    }

    /// The same, as done by whoever signs in with it: who that is, is known when it is written. Of another action nobody can
    /// say who did it but policy.
    pub fn signing_in(self, id: UserId, name: &str) -> Self {
        let actor = match self.action {
            Action::SignIn => Actor::Person {
                id,
                name: name.to_owned(),
            },
            _ => self.actor,
        };
        Self { actor, ..self }
    }

    pub const fn action(&self) -> Action {
        self.action
    }

    /// The grant or rule that decided, for the audit trail.
    pub fn allowed_by(&self) -> &str {
        &self.allowed_by
    }

    pub const fn resource(&self) -> &Resource {
        &self.resource
    }
}

/// Which teams' rows may be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Teams {
    All,
    Of(Vec<TeamId>),
}

/// What a read may see; the store turns it into its `WHERE` clause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    pub(crate) teams: Teams,
}

impl Scope {
    pub const fn teams(&self) -> &Teams {
        &self.teams
    }
}
