//! People and what they are allowed.

use domain::id::{TeamId, UserId};
use policy::{Action, Grant, Permit, Resource, Role, Subject, SystemAction};

use crate::mint;

/// A role everywhere, or for one team.
pub fn grant(role: Role, team: Option<TeamId>) -> Grant {
    Grant::new(role, team)
}

/// Somebody with one role everywhere.
pub fn subject(name: &str, role: Role) -> Subject {
    Subject::new(
        UserId(mint()),
        name.to_owned(),
        vec![],
        vec![grant(role, None)],
    )
}

/// The permit, which the subject must be able to get.
pub fn permit(subject: &Subject, action: Action, resource: Resource) -> Permit {
    policy::permit(subject, action, resource).expect("the subject may do this")
}

/// Slipway's own permit.
pub fn system(action: SystemAction, resource: Resource) -> Permit {
    policy::system_permit(action, resource)
}
