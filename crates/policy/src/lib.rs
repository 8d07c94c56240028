//! Who may do what. The one maker of a [`Permit`], for a change, and of a [`Scope`], for a read.
//!
//! A grant is a role in a place. Which of somebody's grants reach a resource is arithmetic and decided here; what a role may
//! do there is said by the policies in `policies/`, in Cedar, which the security team can read (ADR 0020).

mod action;
mod permit;
mod role;
mod rules;

pub use action::{Action, Kind};
pub use permit::{Permit, Resource, Scope, Teams};
pub use role::{Grant, Place, Role};
pub use rules::{PolicyError, check};

use domain::{
    audit::{Actor, Request},
    id::{TeamId, TokenId, UserId},
    person::PersonKind,
    text::one_of,
};
use rules::{Asker, Verdict, rules};
use serde::{Deserialize, Serialize};

/// Somebody who asks, with what they hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    pub user: UserId,
    pub name: String,
    /// Other ids of the same human: sign-ins at other providers, tokens.
    #[serde(default)]
    pub selves: Vec<UserId>,
    pub grants: Vec<Grant>,
    /// Whether a human acts, or a program for itself.
    #[serde(default)]
    pub kind: PersonKind,
    /// The request they act by.
    #[serde(skip)]
    pub request: Request,
}

impl Subject {
    pub fn new(user: UserId, name: String, selves: Vec<UserId>, grants: Vec<Grant>) -> Self {
        Self {
            user,
            name,
            selves,
            grants,
            kind: PersonKind::Human,
            request: Request::default(),
        }
    }

    /// The same, as what acts is of this kind.
    pub fn of_kind(self, kind: PersonKind) -> Self {
        Self { kind, ..self }
    }

    /// The same, with no more than reading, where anything is held.
    pub fn reading(self) -> Self {
        let mut grants: Vec<Grant> = self
            .grants
            .into_iter()
            .map(|grant| Grant {
                role: Role::Viewer,
                ..grant
            })
            .collect();
        grants.dedup();
        Self { grants, ..self }
    }

    /// The same, who acts by this request, with the token they have.
    pub fn with_request(self, request: Request) -> Self {
        let token = self.request.token;
        Self {
            request: Request { token, ..request },
            ..self
        }
    }

    /// The same, who acts with this token.
    pub fn with_token(mut self, token: TokenId) -> Self {
        self.request.token = Some(token);
        self
    }

    /// What was decided already.
    fn permit(&self, action: Action, allowed_by: String, resource: Resource) -> Permit {
        Permit {
            actor: Actor::Person {
                id: self.user,
                name: self.name.clone(),
            },
            request: self.request,
            action,
            allowed_by,
            resource,
        }
    }
}

/// What somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub action: Action,
    pub resource: Resource,
}

/// Why somebody may not do something, as a sentence with the next step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    #[error("{} takes the role {roles}{scope}, which you do not hold.", asked.action.verb())]
    MissingRole {
        /// As one reads them.
        roles: String,
        /// Any of these would do.
        needs: Vec<Role>,
        scope: &'static str,
        asked: Box<Asked>,
    },
    /// A policy forbids it, whatever somebody holds; what it says.
    #[error("{says}")]
    Forbidden {
        says: String,
        /// Its id.
        policy: String,
        asked: Box<Asked>,
    },
    #[error("You hold no role in Slipway yet. Ask whoever manages your sign-on groups for one.")]
    NoRole,
}

impl Denied {
    /// What was asked for; `None` where nothing was asked for in particular.
    pub fn asked(&self) -> Option<&Asked> {
        match self {
            Self::MissingRole { asked, .. } | Self::Forbidden { asked, .. } => Some(asked),
            Self::NoRole => None,
        }
    }

    /// Why, as it is told of somebody to somebody else.
    pub fn of_another(&self) -> String {
        match self {
            Self::Forbidden { policy, .. } => format!("The policy {policy} forbids it."),
            Self::MissingRole { .. } | Self::NoRole => self.beside(),
        }
    }

    /// Why, as it stands beside a control that names the action itself.
    pub fn beside(&self) -> String {
        match self {
            Self::MissingRole { roles, scope, .. } => format!("Takes the role {roles}{scope}."),
            other => other.to_string(),
        }
    }
}

/// Decides whether somebody may do something; the permit names the grant and the policy that decided.
pub fn permit(subject: &Subject, action: Action, resource: Resource) -> Result<Permit, Denied> {
    let Ok(rules) = rules() else {
        // Nobody gets here: Slipway does not start with policies it cannot read.
        return Err(missing(&[], action, resource));
    };
    let held: Vec<&Grant> = subject
        .grants
        .iter()
        .filter(|grant| grant.place.covers(&resource.place))
        .collect();
    let asker = Asker {
        user: subject.user,
        selves: &subject.selves,
        kind: subject.kind,
    };
    let roles = held.iter().map(|grant| grant.role);
    match rules.ask(asker, roles, action, &resource) {
        Verdict::Allowed(role, policy) => {
            let grant = held
                .iter()
                .find(|grant| grant.role.with_included().contains(&role));
            let Some(grant) = grant else {
                return Err(missing(&[role], action, resource));
            };
            let (role, place) = (grant.role.label(), grant.place.spelt());
            let allowed_by = format!("role {role}{place}: {policy}");
            Ok(subject.permit(action, allowed_by, resource))
        }
        Verdict::Forbidden { says, policy } => Err(Denied::Forbidden {
            says,
            policy,
            asked: Box::new(Asked { action, resource }),
        }),
        Verdict::NotAllowed => {
            let roles = rules.roles_that_may(action, &resource);
            Err(missing(&roles, action, resource))
        }
    }
}

/// A permit for what is somebody's own, such as their sessions: it takes no role.
pub fn own(subject: &Subject, action: Action, resource: Resource) -> Result<Permit, Denied> {
    if resource.kind != Kind::Person || resource.id != subject.user.to_string() {
        return Err(Denied::Forbidden {
            says: "This belongs to somebody else.".to_owned(),
            policy: "it is not their own".to_owned(),
            asked: Box::new(Asked { action, resource }),
        });
    }
    Ok(subject.permit(action, "it is their own".to_owned(), resource))
}

/// A permit for a token that acts for whoever makes or ends it: it may no more than they may, and takes no role. A program
/// makes none for itself.
pub fn own_token(subject: &Subject, token: TokenId, name: impl ToString) -> Result<Permit, Denied> {
    let (action, resource) = (
        Action::ManageTokens,
        Resource::new(Kind::Token, token, name),
    );
    if subject.kind != PersonKind::Human {
        return Err(Denied::Forbidden {
            says: "A program makes no tokens for itself.".to_owned(),
            policy: "only people make their own tokens".to_owned(),
            asked: Box::new(Asked { action, resource }),
        });
    }
    Ok(subject.permit(action, "it is their own".to_owned(), resource))
}

/// The kinds of things an action is done to; none where only Slipway itself does it.
pub fn kinds_of(action: Action) -> Vec<Kind> {
    rules().map_or_else(|_| Vec::new(), |rules| rules.kinds_of(action))
}

/// The roles that may give this one, where it is held in this place.
pub fn givers_of(role: Role, place: Place) -> Vec<Role> {
    let holder = UserId(uuid::Uuid::max());
    let grant = Resource::grant(holder, "", &Grant { role, place });
    rules().map_or_else(
        |_| Vec::new(),
        |rules| rules.roles_that_may(Action::Grant, &grant),
    )
}

/// For the trail: that somebody was refused what they asked for. It allows nothing.
pub fn refusal(subject: &Subject, denied: &Denied) -> Option<Permit> {
    let decided = match denied {
        Denied::Forbidden { policy, .. } => policy.as_str(),
        Denied::MissingRole { .. } | Denied::NoRole => "no role held there allows it",
    };
    let mut resource = denied.asked()?.resource.clone();
    // What does not exist is called as somebody wrote it.
    let name = resource.name.chars().filter(|c| !c.is_control());
    resource.name = name.take(LONGEST_NAME).collect();
    Some(subject.permit(Action::Refuse, format!("refused: {decided}"), resource))
}

/// For the trail: that somebody took out, as a file, what they may read. It allows nothing.
pub fn export(subject: &Subject, resource: Resource) -> Permit {
    subject.permit(Action::Export, "what they may read".to_owned(), resource)
}

const LONGEST_NAME: usize = 80;

fn missing(roles: &[Role], action: Action, resource: Resource) -> Denied {
    let words: Vec<&str> = roles.iter().map(|role| role.label()).collect();
    let scope = match resource.place.team {
        Some(_) if roles.contains(&Role::Member) => " for the owning team",
        _ => "",
    };
    Denied::MissingRole {
        roles: one_of(&words),
        needs: roles.to_vec(),
        scope,
        asked: Box::new(Asked { action, resource }),
    }
}

/// Slipway's own permit. Only the actions reconcilers take have one.
pub fn system_permit(action: SystemAction, resource: Resource) -> Permit {
    let SystemAction(action) = action;
    Permit {
        actor: Actor::System,
        request: Request::default(),
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
    /// Writes who signed in, or out at their provider, and the teams the configuration names.
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
        .map(|grant| grant.place.team)
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
