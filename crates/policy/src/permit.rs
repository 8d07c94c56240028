//! What policy hands out. Fields are private, so nothing else can make one.

use domain::{
    audit::Actor,
    id::{TeamId, UserId},
};

use crate::Action;

/// What an action is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// `rollout`, `service`, …
    pub kind: &'static str,
    pub id: String,
    pub name: String,
    /// The team that owns it, where one does.
    pub team: Option<TeamId>,
    /// The version the decision was made on; the store refuses another.
    pub version: Option<i64>,
    /// Who asked for it, for separation of duties.
    pub requested_by: Option<UserId>,
}

impl Resource {
    /// A resource without owner, version or requester.
    pub fn new(kind: &'static str, id: impl ToString, name: impl ToString) -> Self {
        Self {
            kind,
            id: id.to_string(),
            name: name.to_string(),
            team: None,
            version: None,
            requested_by: None,
        }
    }

    pub fn of_team(self, team: TeamId) -> Self {
        Self {
            team: Some(team),
            ..self
        }
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
    pub(crate) action: Action,
    pub(crate) allowed_by: String,
    pub(crate) resource: Resource,
}

impl Permit {
    pub const fn actor(&self) -> &Actor {
        &self.actor
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
