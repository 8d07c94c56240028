//! Cuts hosts into batches. Deterministic; never loses or doubles a host.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    host::{Criticality, Host},
    text::{FieldError, shown},
};

/// How hosts are shared out among batches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Split {
    /// Shares in per cent, summing to 100.
    Percent(Vec<u32>),
    /// Numbers of hosts, summing to the number there are.
    Count(Vec<u32>),
    /// One rule a batch; each host matches exactly one, or falls to `rest`.
    Selectors(Vec<Selector>),
}

/// Which hosts a batch takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    Criticality(Criticality),
    FailureDomain(String),
    /// Every host no other selector matches.
    Rest,
}

impl Selector {
    fn takes(&self, host: &Host) -> bool {
        match self {
            Self::Criticality(wanted) => host.criticality == *wanted,
            Self::FailureDomain(wanted) => host.failure_domain == *wanted,
            Self::Rest => false,
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Criticality(wanted) => write!(f, "criticality={wanted}"),
            Self::FailureDomain(wanted) => write!(f, "domain={wanted}"),
            Self::Rest => f.write_str("rest"),
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn joined<T: ToString>(parts: &[T]) -> String {
            parts.iter().map(T::to_string).collect::<Vec<_>>().join("/")
        }
        match self {
            Self::Percent(shares) => write!(f, "{}%", joined(shares)),
            Self::Count(counts) => write!(f, "{} hosts", joined(counts)),
            Self::Selectors(selectors) => f.write_str(&joined(selectors)),
        }
    }
}

const MOST_BATCHES: usize = 50;

fn refuse(message: String) -> FieldError {
    FieldError::new("split", message)
}

/// Reads `33/33/34%` (also `33/33/34`), `1/2/3 hosts`, or `criticality=low/domain=a/rest`.
impl FromStr for Split {
    type Err = FieldError;
    fn from_str(text: &str) -> Result<Self, FieldError> {
        let text = text.trim();
        let unknown = || {
            refuse(format!(
                "“{}” is not a way to cut batches. Write shares such as “33/33/34%”, numbers such as “1/2/3 hosts”, or rules such as “criticality=low/domain=a/rest”.",
                shown(text)
            ))
        };
        let numbers = |list: &str| -> Result<Vec<u32>, FieldError> {
            list.split('/')
                .map(|part| part.trim().parse::<u32>().map_err(|_| unknown()))
                .collect()
        };
        let split = if let Some(list) = text.strip_suffix("hosts") {
            Self::Count(numbers(list)?)
        } else if text.contains('=') || text == "rest" {
            let selectors = text
                .split('/')
                .map(|part| match part.trim().split_once('=') {
                    Some(("criticality", word)) => word
                        .trim()
                        .parse()
                        .map(Selector::Criticality)
                        .map_err(|error: FieldError| error.for_field("split")),
                    Some(("domain", word))
                        if !word.trim().is_empty()
                            && word.len() <= 100
                            && !word.contains(char::is_control) =>
                    {
                        Ok(Selector::FailureDomain(word.trim().to_owned()))
                    }
                    None if part.trim() == "rest" => Ok(Selector::Rest),
                    _ => Err(unknown()),
                })
                .collect::<Result<Vec<_>, _>>()?;
            Self::Selectors(selectors)
        } else {
            Self::Percent(numbers(text.strip_suffix('%').unwrap_or(text))?)
        };
        split.check()?;
        Ok(split)
    }
}

impl TryFrom<String> for Split {
    type Error = FieldError;
    fn try_from(text: String) -> Result<Self, FieldError> {
        text.parse()
    }
}

impl From<Split> for String {
    fn from(split: Split) -> Self {
        split.to_string()
    }
}

impl Split {
    /// How many batches it makes.
    pub fn batches(&self) -> usize {
        match self {
            Self::Percent(parts) | Self::Count(parts) => parts.len(),
            Self::Selectors(selectors) => selectors.len(),
        }
    }

    /// Refuses what is wrong whatever the hosts are.
    fn check(&self) -> Result<(), FieldError> {
        if self.batches() == 0 || self.batches() > MOST_BATCHES {
            return Err(refuse(format!(
                "A rollout has 1 to {MOST_BATCHES} batches, not {}.",
                self.batches()
            )));
        }
        match self {
            Self::Percent(shares) => {
                let sum: u64 = shares.iter().copied().map(u64::from).sum();
                if sum != 100 {
                    return Err(refuse(format!(
                        "The shares {} sum to {sum} per cent. They must sum to 100.",
                        self
                    )));
                }
                if let Some(at) = shares.iter().position(|share| *share == 0) {
                    return Err(refuse(format!(
                        "The share of batch {} is 0 per cent, which would be an empty batch. Leave it out.",
                        at + 1
                    )));
                }
            }
            Self::Count(counts) => {
                if let Some(at) = counts.iter().position(|count| *count == 0) {
                    return Err(refuse(format!(
                        "Batch {} would have 0 hosts. Leave it out.",
                        at + 1
                    )));
                }
            }
            Self::Selectors(selectors) => {
                for (at, selector) in selectors.iter().enumerate() {
                    if selectors[..at].contains(selector) {
                        return Err(refuse(format!(
                            "The rule “{selector}” stands twice. Each batch needs a rule of its own."
                        )));
                    }
                }
            }
        }
        Ok(())
    }

    /// Cuts `hosts` into ordered batches: non-critical hosts first, then by failure domain, then by identity.
    ///
    /// Percentages are rounded by largest remainder, ties to the later batch. Errors name the batch that would be
    /// empty, the sum that does not fit, or the host that two selectors claim.
    pub fn cut(&self, hosts: &[Host]) -> Result<Vec<Vec<Host>>, FieldError> {
        self.check()?;
        if hosts.is_empty() {
            return Err(FieldError::new(
                "environment",
                "There is no host to roll out to. Add hosts to the environment, in the group the service names.",
            ));
        }
        let mut ordered = hosts.to_vec();
        ordered.sort_by(|a, b| {
            (a.criticality, &a.failure_domain, &a.identity, a.id).cmp(&(
                b.criticality,
                &b.failure_domain,
                &b.identity,
                b.id,
            ))
        });
        let sizes = match self {
            Self::Percent(shares) => self.shares(shares, ordered.len())?,
            Self::Count(counts) => {
                let sum: u64 = counts.iter().copied().map(u64::from).sum();
                if sum != ordered.len() as u64 {
                    return Err(refuse(format!(
                        "The batches name {sum} hosts but the environment has {} for this service. Make the numbers sum to {}.",
                        ordered.len(),
                        ordered.len()
                    )));
                }
                counts.iter().map(|count| *count as usize).collect()
            }
            Self::Selectors(selectors) => return select(selectors, ordered),
        };
        let mut rest = ordered.into_iter();
        Ok(sizes
            .into_iter()
            .map(|size| rest.by_ref().take(size).collect())
            .collect())
    }

    fn shares(&self, shares: &[u32], hosts: usize) -> Result<Vec<usize>, FieldError> {
        let mut sizes: Vec<usize> = shares
            .iter()
            .map(|share| *share as usize * hosts / 100)
            .collect();
        let left = hosts - sizes.iter().sum::<usize>();
        let mut by_remainder: Vec<usize> = (0..shares.len()).collect();
        by_remainder.sort_by_key(|&at| std::cmp::Reverse((shares[at] as usize * hosts % 100, at)));
        for &at in by_remainder.iter().take(left) {
            sizes[at] += 1;
        }
        if let Some(at) = sizes.iter().position(|size| *size == 0) {
            return Err(refuse(format!(
                "Batch {} would be empty: {} per cent is too small a share of {hosts} {}. Use fewer batches or larger shares.",
                at + 1,
                shares[at],
                if hosts == 1 { "host" } else { "hosts" }
            )));
        }
        Ok(sizes)
    }
}

fn select(selectors: &[Selector], hosts: Vec<Host>) -> Result<Vec<Vec<Host>>, FieldError> {
    let rest = selectors
        .iter()
        .position(|selector| *selector == Selector::Rest);
    let mut batches: Vec<Vec<Host>> = vec![Vec::new(); selectors.len()];
    for host in hosts {
        let matching: Vec<usize> = (0..selectors.len())
            .filter(|&at| selectors[at].takes(&host))
            .collect();
        let at = match (matching.as_slice(), rest) {
            ([at], _) => *at,
            ([], Some(at)) => at,
            ([], None) => {
                return Err(refuse(format!(
                    "Host {} matches no rule. Add a last rule “rest”, or one that takes it.",
                    host.name
                )));
            }
            ([first, second, ..], _) => {
                return Err(refuse(format!(
                    "Host {} matches both “{}” and “{}”. Make the rules exclude one another.",
                    host.name, selectors[*first], selectors[*second]
                )));
            }
        };
        batches[at].push(host);
    }
    match batches.iter().position(Vec::is_empty) {
        Some(at) => Err(refuse(format!(
            "Batch {} would be empty: no host matches “{}”. Leave the rule out.",
            at + 1,
            selectors[at]
        ))),
        None => Ok(batches),
    }
}
