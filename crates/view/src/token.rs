//! Tokens of the API: what they may do, and until when.

use domain::{
    Timestamp,
    id::{TokenId, UserId},
};
use serde::{Deserialize, Serialize};

use crate::{access::Allowance, page::Page};

/// One token. Its secret is shown once, to whoever makes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenLine {
    pub id: TokenId,
    /// What it is for; shown wherever it acts.
    pub name: String,
    /// Whom it acts for; nobody where it acts for itself.
    pub holder: Option<(UserId, String)>,
    /// As one reads them: “operator”, “member of Payments”, “all that Maria Member holds”.
    pub roles: Vec<String>,
    pub made_by: String,
    #[serde(with = "domain::moment")]
    pub created_at: Timestamp,
    #[serde(with = "domain::moment")]
    pub expires_at: Timestamp,
    /// To the minute.
    #[serde(with = "domain::moment::maybe")]
    pub used_at: Option<Timestamp>,
    /// When somebody ended it before its time, who, and why.
    #[serde(with = "domain::moment::maybe")]
    pub ended_at: Option<Timestamp>,
    pub ended_by: String,
    pub ended_reason: String,
}

impl TokenLine {
    /// Nobody can use it any more.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.ended_at.is_some() || self.expires_at <= now
    }
}

/// The list of tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenList {
    pub page: Page<TokenLine>,
    #[serde(with = "domain::moment")]
    pub now: Timestamp,
    pub may_end: Allowance,
}
