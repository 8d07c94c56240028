//! Identifiers: UUIDs behind one type per noun, so that a batch of one thing is never taken for another.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The text is not an identifier; it says which noun was meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{text}” is not the id of a {noun}. Look for it in its list, which has whole ids.")]
pub struct IdError {
    pub noun: &'static str,
    pub text: String,
}

macro_rules! ids {
    ($($name:ident $noun:literal;)*) => {$(
        #[doc = concat!("Identifies a ", $noun, ".")]
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Uuid::parse_str(text)
                    .map(Self)
                    .map_err(|_| IdError { noun: $noun, text: text.chars().take(60).collect() })
            }
        }
    )*};
}

ids! {
    AttemptId "attempt";
    AuditEventId "audit event";
    ChangeRequestId "change request";
    DeploymentId "deployment";
    EnvironmentId "environment";
    GrantId "grant";
    HostId "host";
    JobId "job";
    OutboxId "outbox message";
    ProjectId "project";
    RolloutId "rollout";
    ServiceId "service";
    TeamId "team";
    TokenId "token";
    UserId "person";
    VariableId "variable";
}
