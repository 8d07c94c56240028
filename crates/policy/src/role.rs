//! What people hold, and where.

use domain::id::{EnvironmentId, ServiceId, TeamId};
use serde::{Deserialize, Serialize};

/// A bundle of what somebody may do; the policies say what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads, changes nothing: leadership, and whoever only wants to look.
    Viewer,
    /// Brings the team's services in and requests their rollouts.
    Member,
    /// As a member, and says who does what in the team.
    Owner,
    /// Releases rollouts and steers them.
    Sre,
    /// As an SRE, and keeps environments, hosts and projects.
    Operator,
    /// Decides on what others requested.
    Approver,
    /// As an approver, also where the data is restricted.
    SecurityApprover,
    /// Reads and exports who did what.
    Auditor,
    /// Keeps people, grants and tokens; reads what an auditor reads.
    Admin,
}

domain::words!(Role "role": Viewer = "viewer", Member = "member", Owner = "owner", Sre = "sre", Operator = "operator",
    Approver = "approver", SecurityApprover = "security_approver", Auditor = "auditor", Admin = "admin");

impl Role {
    /// The roles that whoever holds this one holds as well, itself among them.
    pub const fn with_included(self) -> &'static [Self] {
        match self {
            Self::Viewer => &[Self::Viewer],
            Self::Member => &[Self::Member, Self::Viewer],
            Self::Owner => &[Self::Owner, Self::Member, Self::Viewer],
            Self::Sre => &[Self::Sre, Self::Viewer],
            Self::Operator => &[Self::Operator, Self::Sre, Self::Viewer],
            Self::Approver => &[Self::Approver, Self::Viewer],
            Self::SecurityApprover => &[Self::SecurityApprover, Self::Approver, Self::Viewer],
            Self::Auditor => &[Self::Auditor, Self::Viewer],
            Self::Admin => &[Self::Admin, Self::Auditor, Self::Viewer],
        }
    }

    /// How a sentence says it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Sre => "SRE",
            Self::SecurityApprover => "security approver",
            other => other.word(),
        }
    }

    /// It means something in a team only.
    pub const fn needs_team(self) -> bool {
        matches!(self, Self::Member | Self::Owner)
    }
}

/// Where a grant reaches; what is left out is everywhere.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    pub team: Option<TeamId>,
    pub service: Option<ServiceId>,
    pub environment: Option<EnvironmentId>,
}

impl Place {
    /// Whether what is here lies within it. Something that belongs to no team, service or environment lies within no place
    /// that names one.
    pub fn covers(&self, here: &Self) -> bool {
        fn within<T: PartialEq>(named: Option<T>, here: Option<T>) -> bool {
            named.is_none() || named == here
        }
        within(self.team, here.team)
            && within(self.service, here.service)
            && within(self.environment, here.environment)
    }

    /// How a sentence says it; empty where it is everywhere.
    pub const fn spelt(&self) -> &'static str {
        match (self.team, self.service, self.environment) {
            (None, None, None) => "",
            (Some(_), None, None) => " of the owning team",
            (_, Some(_), None) => " for this service",
            (_, None, Some(_)) => " in this environment",
            (_, Some(_), Some(_)) => " for this service in this environment",
        }
    }
}

/// A role somebody holds somewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub struct Grant {
    pub role: Role,
    pub place: Place,
}

/// A grant as it is stored. Tokens made before grants had a place name their team beside the role; what is not known here is
/// refused, because a place that were passed over would be everywhere.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    role: Role,
    #[serde(default)]
    team: Option<TeamId>,
    #[serde(default)]
    place: Place,
}

impl From<Stored> for Grant {
    fn from(Stored { role, team, place }: Stored) -> Self {
        let team = place.team.or(team);
        Self {
            role,
            place: Place { team, ..place },
        }
    }
}

impl Grant {
    /// A role that is held everywhere, or in one team.
    pub fn new(role: Role, team: Option<TeamId>) -> Self {
        Self {
            role,
            place: Place {
                team,
                ..Place::default()
            },
        }
    }
}
