//! People, what they hold, and where they are signed in.

use domain::{
    Timestamp,
    id::{GrantId, UserId},
    person::{PersonKind, PersonState},
};
use serde::{Deserialize, Serialize};

use crate::{access::Allowance, page::Page, token::TokenLine};

/// One person in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonRow {
    pub id: UserId,
    pub name: String,
    pub email: String,
    /// The identity provider that vouches for them.
    pub issuer: String,
    pub kind: PersonKind,
    pub state: PersonState,
    /// Why they are kept out; empty while they are not.
    pub state_reason: String,
    /// What the provider said they belong to, when they signed in last.
    pub groups: Vec<String>,
    /// What they hold now, as one reads it: “operator”, “member of Payments”.
    pub roles: Vec<String>,
    /// When they signed in last.
    #[serde(with = "domain::moment")]
    pub seen_at: Timestamp,
}

/// The list of people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeopleList {
    pub page: Page<PersonRow>,
    pub may_make_account: Allowance,
}

/// A role that was given in the console.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantRow {
    pub id: GrantId,
    pub role: String,
    pub team: Option<String>,
    pub service: Option<String>,
    pub environment: Option<String>,
    pub reason: String,
    pub granted_by: String,
    #[serde(with = "domain::moment")]
    pub granted_at: Timestamp,
    #[serde(with = "domain::moment::maybe")]
    pub expires_at: Option<Timestamp>,
    #[serde(with = "domain::moment::maybe")]
    pub ended_at: Option<Timestamp>,
    pub ended_by: String,
    pub ended_reason: String,
}

impl GrantRow {
    /// “operator”, “SRE of Payments, for Checkout, in Production”.
    pub fn told(&self) -> String {
        let mut told = self.role.clone();
        for (word, place) in [
            (" of ", &self.team),
            (", for ", &self.service),
            (", in ", &self.environment),
        ] {
            if let Some(place) = place {
                told.push_str(word);
                told.push_str(place);
            }
        }
        told
    }
}

/// A role that a person or a token holds now, for whoever reviews who may do what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldLine {
    /// `person`, `service account` or `token`.
    pub kind: String,
    pub id: String,
    /// Id of whom a token acts for; empty where it acts for itself, and of others.
    pub holder: String,
    pub name: String,
    pub email: String,
    /// Word of `domain::person::PersonState`; of a token that of its holder.
    pub state: String,
    pub role: String,
    /// A name, or “group …”.
    pub given_by: String,
    pub reason: String,
    /// Of a group's role nobody knows.
    #[serde(with = "domain::moment::maybe")]
    pub since: Option<Timestamp>,
    #[serde(with = "domain::moment::maybe")]
    pub until: Option<Timestamp>,
    /// When they signed in last, or it was used last.
    #[serde(with = "domain::moment::maybe")]
    pub seen_at: Option<Timestamp>,
}

/// Somewhere a person is signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRow {
    /// What it is ended by; nobody can act with it.
    pub id: String,
    /// What the browser says it is.
    pub agent: String,
    pub address: String,
    #[serde(with = "domain::moment")]
    pub since: Timestamp,
    #[serde(with = "domain::moment")]
    pub expires_at: Timestamp,
    /// The one this page is read with.
    pub here: Here,
}

/// Whether a session is the one that asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Here {
    This,
    Another,
}

/// One person, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonView {
    pub row: PersonRow,
    /// What rules give them for their groups: the role, and the group.
    pub by_group: Vec<(String, String)>,
    pub grants: Vec<GrantRow>,
    pub sessions: Vec<SessionRow>,
    /// Of the token that was just made, for whoever made it; shown once.
    pub secret: Option<String>,
    /// Tokens that act for them, newest first, for whoever may end them.
    pub tokens: Vec<TokenLine>,
    /// Roles, teams, services and environments to choose from: what is posted, and what it is called.
    pub roles: Vec<(String, String)>,
    pub teams: Vec<(String, String)>,
    pub services: Vec<(String, String)>,
    pub environments: Vec<(String, String)>,
    #[serde(with = "domain::moment")]
    pub now: Timestamp,
    pub may_manage: Allowance,
    pub may_grant: Allowance,
    pub may_make_token: Allowance,
}
