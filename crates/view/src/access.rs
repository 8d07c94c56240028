//! Who is looking, and what they may press.

use domain::id::UserId;
use serde::{Deserialize, Serialize};

use crate::error::ApiError;

/// The signed-in person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Viewer {
    pub id: UserId,
    pub name: String,
    /// Words of the roles held, for the menu: “operator”, “member of payments”.
    pub roles: Vec<String>,
    /// Whether they may read who may do what.
    pub people: Allowance,
}

/// What every page needs before it draws anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// `None` when nobody is signed in.
    pub viewer: Option<Viewer>,
    /// Word of the chosen theme: `system`, `light`, `dark`.
    pub theme: String,
    /// How much faster than planned bakes run here; 1 in earnest.
    pub time_scale: u64,
    /// The form that came back last.
    pub returned: Option<Returned>,
}

impl Frame {
    /// The frame around a page whose own frame could not be read.
    pub fn nobody() -> Self {
        Self {
            viewer: None,
            theme: "system".to_owned(),
            time_scale: 1,
            returned: None,
        }
    }
}

/// A form that came back, kept in the session until its page is shown again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Returned {
    /// Id of the form; a page may hold several of one kind.
    pub form: String,
    /// Why it was refused; `None` when it was only to be shown what it would do.
    pub error: Option<ApiError>,
    /// Field names and what was typed.
    pub values: Vec<(String, String)>,
}

impl Returned {
    /// What was typed into a field; empty where it has none of that name.
    pub fn value(&self, field: &str) -> String {
        let found = self.values.iter().find(|(name, _)| name == field);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    }
}

/// Whether a control may be used; a refusal says why and is shown beside the disabled control.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Allowance {
    Allowed,
    Refused {
        why: String,
    },
    /// The state does not offer it, so it is not shown at all.
    NotOffered,
}

impl Allowance {
    pub const fn allowed(&self) -> bool {
        matches!(self, Self::Allowed)
    }

    pub const fn offered(&self) -> bool {
        !matches!(self, Self::NotOffered)
    }

    /// Why it is refused; `None` otherwise.
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Refused { why } => Some(why),
            _ => None,
        }
    }
}

/// Whether somebody may do something, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    pub person: String,
    pub action: String,
    /// Kind and name of what it is about.
    pub about: String,
    pub allowed: bool,
    /// The role and the policy that allow it; or what it takes, or what forbids it.
    pub why: String,
    pub roles: Vec<HeldRole>,
    /// Who could give what is missing; the first of them.
    pub givers: Vec<String>,
}

/// A role somebody holds, and whether it holds where the question is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldRole {
    pub role: String,
    pub reaches: bool,
}
