//! Which hosts of a service, and which tasks of its playbooks, a rollout takes: all, unless somebody narrows it.

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    host::Host,
    job::JobKind,
    project::PlannedPlaybooks,
    text::{FieldError, GroupName, Tag, shown},
};

/// Hosts by their names or groups: `web,eu,!web-3`. Empty takes all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Limit {
    /// Names and groups of which a host has one; empty is any host.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    only: BTreeSet<GroupName>,
    /// Those of which it has none; typed with `!` before them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    but: BTreeSet<GroupName>,
}

fn goes_by(host: &Host, name: &GroupName) -> bool {
    host.name.as_str() == name.as_str() || host.groups.contains(name.as_str())
}

impl Limit {
    pub fn takes(&self, host: &Host) -> bool {
        let one_of = |names: &BTreeSet<GroupName>| names.iter().any(|name| goes_by(host, name));
        (self.only.is_empty() || one_of(&self.only)) && !one_of(&self.but)
    }

    /// The hosts it takes, in their order. Refuses a name that no host goes by, for it is likely a slip, and a limit that
    /// leaves none.
    pub fn choose(&self, hosts: &[Host]) -> Result<Vec<Host>, FieldError> {
        let unknown = self.only.iter().chain(&self.but);
        let mut unknown = unknown.filter(|name| !hosts.iter().any(|host| goes_by(host, name)));
        if let Some(name) = unknown.next() {
            return Err(FieldError::new(
                "limit",
                format!(
                    "No host of this service here is named “{name}” or is in a group of that name. Look at the hosts of the environment."
                ),
            ));
        }
        let chosen: Vec<Host> = hosts
            .iter()
            .filter(|host| self.takes(host))
            .cloned()
            .collect();
        if chosen.is_empty() && !hosts.is_empty() {
            let message = format!("The limit “{self}” leaves no host.");
            return Err(FieldError::new("limit", message));
        }
        Ok(chosen)
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let only = self.only.iter().map(ToString::to_string);
        let but = self.but.iter().map(|name| format!("!{name}"));
        f.write_str(&only.chain(but).collect::<Vec<_>>().join(", "))
    }
}

/// Names and groups between commas or spaces.
impl FromStr for Limit {
    type Err = FieldError;

    fn from_str(text: &str) -> Result<Self, FieldError> {
        let mut limit = Self::default();
        for term in terms("limit", text)? {
            let (names, name) = match term.strip_prefix('!') {
                Some(name) => (&mut limit.but, name),
                None => (&mut limit.only, term),
            };
            let refuse = |_| {
                let message = format!(
                    "“{}” is neither the name of a host nor a group. Write names and groups between commas, and “!” before those to leave out, such as “web, !web-3”.",
                    shown(term)
                );
                FieldError::new("limit", message)
            };
            names.insert(name.parse().map_err(refuse)?);
        }
        Ok(limit)
    }
}

/// Terms that are looked at; more than that is not typed.
const MOST: usize = 200;

fn terms<'a>(field: &str, text: &'a str) -> Result<Vec<&'a str>, FieldError> {
    let split = text.split(|c: char| c == ',' || c.is_whitespace());
    let terms: Vec<&str> = split.filter(|term| !term.is_empty()).collect();
    if terms.len() > MOST {
        let message = format!("Give at most {MOST} names.");
        return Err(FieldError::new(field, message));
    }
    Ok(terms)
}

/// Tags of Ansible's tasks.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tags(BTreeSet<Tag>);

impl Tags {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads tags between commas or spaces.
    pub fn read(field: &str, text: &str) -> Result<Self, FieldError> {
        let tags = terms(field, text)?.into_iter().map(|term| {
            let tag = term.parse::<Tag>();
            tag.map_err(|error| FieldError::new(field, error.message))
        });
        Ok(Self(tags.collect::<Result<_, _>>()?))
    }
}

/// As Ansible's `--tags` takes them.
impl fmt::Display for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tags: Vec<&str> = self.0.iter().map(Tag::as_str).collect();
        f.write_str(&tags.join(","))
    }
}

/// What of a service's hosts and of its playbooks' tasks a plan takes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Selection {
    #[serde(default, skip_serializing_if = "is_default")]
    pub limit: Limit,
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub skip_tags: Tags,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Selection {
    /// Everything: not written, so that plans from before there was a choice keep their digests.
    pub fn is_everything(&self) -> bool {
        is_default(self)
    }

    /// Refuses tags for playbooks that come with Slipway: each of their tasks counts.
    pub fn check(self, playbooks: &PlannedPlaybooks) -> Result<Self, FieldError> {
        if matches!(playbooks, PlannedPlaybooks::Project(_)) {
            return Ok(self);
        }
        for (field, tags) in [("tags", &self.tags), ("skip_tags", &self.skip_tags)] {
            if !tags.is_empty() {
                let message = "Tags choose among the tasks of a project's playbooks. This service runs the ones that come with Slipway, which run as a whole: leave tags out.";
                return Err(FieldError::new(field, message));
            }
        }
        Ok(self)
    }

    /// Tags to run and to skip, of a job of this kind. Whoever asks a host what it runs, or brings it back, needs every
    /// task.
    pub fn tags_of(&self, kind: JobKind) -> (Tags, Tags) {
        match kind {
            JobKind::Deploy | JobKind::DryRun => (self.tags.clone(), self.skip_tags.clone()),
            JobKind::Probe | JobKind::ProbeUnknown | JobKind::RollBack => Default::default(),
        }
    }
}
