//! Who may do what. The one maker of a [`Permit`], for a change, and of a [`Scope`], for a read.

mod permit;
mod table;

pub use permit::{Permit, Resource, Scope, Teams};
pub use table::{Action, Role};

use domain::{
    audit::Actor,
    id::{TeamId, UserId},
};
use serde::{Deserialize, Serialize};

/// A role somebody holds, everywhere or for one team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    pub role: Role,
    /// `None` is every team.
    pub team: Option<TeamId>,
}

/// Somebody who asks, with what was granted to them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    pub user: UserId,
    pub name: String,
    pub grants: Vec<Grant>,
}

/// Why something is not allowed: names the missing grant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    #[error(
        "{verb} takes the role {roles}{scope}, which you do not hold. Whoever manages your sign-on groups can grant it."
    )]
    MissingRole {
        verb: &'static str,
        roles: String,
        scope: String,
    },
    #[error("You requested this change, so somebody else has to decide on it.")]
    OwnRequest,
    #[error("You hold no role in Slipway yet. Ask whoever manages your sign-on groups for one.")]
    NoRole,
}

impl Denied {
    /// Why, as it stands beside a control that names the action itself.
    pub fn beside(&self) -> String {
        match self {
            Self::MissingRole { roles, scope, .. } => format!("Takes the role {roles}{scope}."),
            other => other.to_string(),
        }
    }
}

/// A permit for one action on one resource at one version, or which grant is missing.
pub fn permit(subject: &Subject, action: Action, resource: Resource) -> Result<Permit, Denied> {
    if action.separates_duties() && resource.requested_by == Some(subject.user) {
        return Err(Denied::OwnRequest);
    }
    let grant = subject.grants.iter().find(|grant| {
        action.roles().contains(&grant.role)
            && (grant.team.is_none() || grant.team == resource.team)
    });
    match grant {
        Some(grant) => Ok(Permit {
            actor: Actor::Person {
                id: subject.user,
                name: subject.name.clone(),
            },
            action,
            allowed_by: format!(
                "role {}{}",
                grant.role,
                if grant.team.is_some() {
                    " of the owning team"
                } else {
                    ""
                }
            ),
            resource,
        }),
        None => {
            let roles: Vec<&str> = action.roles().iter().map(|role| role.word()).collect();
            let scope = if action.roles().contains(&Role::Member) && resource.team.is_some() {
                " for the owning team"
            } else {
                ""
            };
            Err(Denied::MissingRole {
                verb: action.verb(),
                roles: roles.join(" or "),
                scope: scope.to_owned(),
            })
        }
    }
}

/// Slipway's own permit. Only the actions reconcilers take have one.
pub fn system_permit(action: SystemAction, resource: Resource) -> Permit {
    let SystemAction(action) = action;
    Permit {
        actor: Actor::System,
        action,
        allowed_by: "Slipway's own rule".to_owned(),
        resource,
    }
}

/// An action Slipway may take by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SystemAction(Action);

impl SystemAction {
    /// Moves a rollout on what a job, telemetry or the clock reported.
    pub const OBSERVE: Self = Self(Action::Observe);
    /// Runs queued jobs and writes what they did.
    pub const RUN_JOB: Self = Self(Action::RunJob);
    /// Hands outbox messages over.
    pub const DELIVER: Self = Self(Action::Deliver);
    /// Writes who signed in, and the teams the configuration names.
    pub const SIGN_IN: Self = Self(Action::SignIn);
}

/// What a subject may read.
pub fn scope(subject: &Subject) -> Result<Scope, Denied> {
    if subject.grants.is_empty() {
        return Err(Denied::NoRole);
    }
    // One grant for every team is enough to make the collection `None`, which is all.
    let teams = subject
        .grants
        .iter()
        .map(|grant| grant.team)
        .collect::<Option<Vec<TeamId>>>();
    Ok(Scope {
        teams: teams.map_or(Teams::All, Teams::Of),
    })
}

/// Slipway's own scope, for reconcilers.
pub const fn system_scope() -> Scope {
    Scope { teams: Teams::All }
}

#[cfg(test)]
mod tests;
