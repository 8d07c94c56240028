//! How many hosts of a batch may not take the change, and what happens beyond that.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::text::{FieldError, shown};

/// How many hosts of one batch may not take the change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureLimit {
    Hosts(u32),
    /// Per cent of the batch.
    Percent(u32),
}

impl FailureLimit {
    /// The number of hosts that may fail in a batch of `hosts`. A share is rounded down, so that it is exceeded when
    /// Ansible's `max_fail_percentage` is.
    pub const fn of(self, hosts: u32) -> u32 {
        match self {
            Self::Hosts(n) => n,
            // At most `hosts`, so it fits.
            Self::Percent(share) => (hosts as u64 * share as u64 / 100) as u32,
        }
    }
}

impl Default for FailureLimit {
    fn default() -> Self {
        Self::Hosts(0)
    }
}

impl fmt::Display for FailureLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hosts(1) => f.write_str("1 host"),
            Self::Hosts(n) => write!(f, "{n} hosts"),
            Self::Percent(share) => write!(f, "{share}%"),
        }
    }
}

impl FromStr for FailureLimit {
    type Err = FieldError;

    /// Reads `2`, `2 hosts` or `10%`.
    fn from_str(text: &str) -> Result<Self, FieldError> {
        let refuse = || {
            FieldError::new(
                "failures",
                format!(
                    "“{}” is no number of hosts. Write how many hosts of a batch may fail, such as “0” or “2”, or a share of them between 0% and 100%, such as “10%”.",
                    shown(text)
                ),
            )
        };
        let typed = text.trim();
        let (number, percent) = match typed.strip_suffix('%') {
            Some(share) => (share, true),
            None => (
                typed
                    .strip_suffix("hosts")
                    .or_else(|| typed.strip_suffix("host"))
                    .unwrap_or(typed),
                false,
            ),
        };
        match (number.trim().parse::<u32>().map_err(|_| refuse())?, percent) {
            (share, true) if share > 100 => Err(refuse()),
            (share, true) => Ok(Self::Percent(share)),
            (hosts, false) => Ok(Self::Hosts(hosts)),
        }
    }
}

/// What happens to a batch in which more hosts fail than may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Beyond {
    /// It waits for a person.
    #[default]
    Hold,
    /// The whole rollout is rolled back.
    RollBack,
}

crate::words::words!(Beyond "beyond": Hold = "hold", RollBack = "roll_back");

/// The failures a batch may have. Within the limit unreachable hosts are tried again by themselves; a task that failed asks
/// a person all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct FailureBudget {
    pub limit: FailureLimit,
    pub beyond: Beyond,
}

impl FailureBudget {
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_as_they_are_written() {
        for (text, limit, spelt) in [
            ("0", FailureLimit::Hosts(0), "0 hosts"),
            (" 1 host ", FailureLimit::Hosts(1), "1 host"),
            ("2hosts", FailureLimit::Hosts(2), "2 hosts"),
            ("10%", FailureLimit::Percent(10), "10%"),
            ("100 %", FailureLimit::Percent(100), "100%"),
        ] {
            assert_eq!(text.parse::<FailureLimit>().unwrap(), limit, "{text}");
            assert_eq!(limit.to_string(), spelt);
            assert_eq!(spelt.parse::<FailureLimit>().unwrap(), limit);
        }
        for bad in ["", "%", "-1", "101%", "1.5", "two", "99999999999"] {
            let error = bad.parse::<FailureLimit>().unwrap_err();
            assert_eq!(error.field, "failures", "{bad}");
        }
    }

    #[test]
    fn a_share_is_rounded_down() {
        for (share, hosts, may) in [
            (10, 9, 0),
            (10, 10, 1),
            (33, 3, 0),
            (34, 3, 1),
            (100, 7, 7),
            (0, 100, 0),
            (100, u32::MAX, u32::MAX),
        ] {
            assert_eq!(FailureLimit::Percent(share).of(hosts), may);
        }
        assert_eq!(FailureLimit::Hosts(5).of(2), 5);
    }
}
