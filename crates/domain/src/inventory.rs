//! What an inventory would change of the hosts that are known.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    host::Host,
    id::HostId,
    text::{FieldError, HostName, Sha256, listed},
};

/// What becomes of known hosts that an inventory does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Absent {
    #[default]
    Keep,
    Remove,
}

crate::words::words!(Absent "absent": Keep = "keep", Remove = "remove");

/// A known host that an inventory changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostChange {
    /// As it will be, under the id it is known by.
    pub host: Host,
    pub renamed_from: Option<HostName>,
    /// Groups.
    pub joined: BTreeSet<String>,
    /// Groups.
    pub left: BTreeSet<String>,
    /// What else, by name: variables, `criticality` and `failure domain`.
    pub what: BTreeMap<String, ValueChange>,
}

/// What becomes of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Turn {
    Added,
    Dropped,
    Changed,
}

crate::words::words!(Turn "change": Added = "added", Dropped = "dropped", Changed = "changed");

/// How a value changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValueChange {
    pub turn: Turn,
    /// What it was and what it will be, only where that can be no secret; empty where there is none.
    pub values: Option<[String; 2]>,
}

impl ValueChange {
    /// “ansible_port 22 → 2222”, “password dropped”.
    pub fn spell(&self, name: &str) -> String {
        match &self.values {
            Some(values) => {
                let [before, after] = values.each_ref().map(|text| match text.as_str() {
                    "" => "none",
                    text => text,
                });
                format!("{name} {before} → {after}")
            }
            None => format!("{name} {}", self.turn),
        }
    }
}

/// Variables that are no secret: where a host is found.
const NO_SECRETS: [&str; 2] = ["ansible_host", "ansible_port"];

/// What an inventory would change. Hosts are told apart by identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    pub absent: Absent,
    pub added: Vec<Host>,
    pub changed: Vec<HostChange>,
    /// Known, and not named by the inventory; `absent` says what becomes of them.
    pub gone: Vec<Host>,
    pub unchanged: u32,
}

impl Difference {
    /// Compares an inventory with the hosts known so far. Refuses an identity or a name that two hosts would share.
    pub fn between(known: Vec<Host>, read: &[Host], absent: Absent) -> Result<Self, FieldError> {
        let mut known: BTreeMap<String, Host> = known
            .into_iter()
            .map(|host| (host.identity.clone(), host))
            .collect();
        let mut owners: BTreeMap<&HostName, &str> = BTreeMap::new();
        let mut identities = BTreeSet::new();
        let mut addresses: BTreeMap<String, &HostName> = BTreeMap::new();
        let mut difference = Self {
            absent,
            added: Vec::new(),
            changed: Vec::new(),
            gone: Vec::new(),
            unchanged: 0,
        };
        for host in read {
            let Host { identity, name, .. } = host;
            if !identities.insert(identity) {
                return Err(refuse(format!(
                    "The identity “{identity}” occurs twice. Keep one of the two entries."
                )));
            }
            if let Some(other) = owners.insert(name, identity) {
                return Err(called_alike(name, other, identity));
            }
            if let Some(other) = addresses.insert(host.address(), name) {
                return Err(found_alike(other, name, &host.address()));
            }
            match known.remove(identity) {
                None => difference.added.push(host.clone()),
                Some(before) => {
                    let host = Host {
                        id: before.id,
                        environment: before.environment,
                        ..host.clone()
                    };
                    if before == host {
                        difference.unchanged += 1;
                    } else {
                        difference.changed.push(HostChange::between(&before, host));
                    }
                }
            }
        }
        for host in known.values().filter(|_| absent == Absent::Keep) {
            if let Some(other) = owners.get(&host.name) {
                return Err(called_alike(&host.name, other, &host.identity));
            }
            if let Some(other) = addresses.get(&host.address()) {
                return Err(found_alike(other, &host.name, &host.address()));
            }
        }
        difference.gone = known.into_values().collect();
        difference.gone.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(difference)
    }

    /// Hosts that leave; empty where they are kept.
    pub fn removed(&self) -> &[Host] {
        match self.absent {
            Absent::Keep => &[],
            Absent::Remove => &self.gone,
        }
    }

    /// The inventory says what is known already.
    pub fn is_none(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed().is_empty()
    }

    /// SHA-256 over all of it, so that what is taken over is what was shown. Ids of new hosts are made anew at each look
    /// and do not count.
    pub fn digest(&self) -> Result<Sha256, serde_json::Error> {
        let mut counted = self.clone();
        for host in &mut counted.added {
            host.id = HostId(Uuid::nil());
        }
        Ok(Sha256::of(&serde_json::to_vec(&counted)?))
    }
}

impl HostChange {
    fn between(before: &Host, host: Host) -> Self {
        let (old, new) = (&before.variables, &host.variables);
        let text = |value: Option<&Value>| match value {
            None => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
        };
        let mut what: BTreeMap<String, ValueChange> = old
            .keys()
            .chain(new.keys())
            .filter_map(|key| {
                let sides = [old.get(key), new.get(key)];
                let turn = match sides {
                    [before, after] if before == after => return None,
                    [None, _] => Turn::Added,
                    [_, None] => Turn::Dropped,
                    _ => Turn::Changed,
                };
                let told = NO_SECRETS.contains(&key.as_str());
                let values = told.then(|| sides.map(text));
                Some((key.clone(), ValueChange { turn, values }))
            })
            .collect();
        let criticality = [before.criticality, host.criticality].map(|is| is.to_string());
        let domain = [&before.failure_domain, &host.failure_domain].map(Clone::clone);
        for (field, values) in [("criticality", criticality), ("failure domain", domain)] {
            if values[0] != values[1] {
                let values = Some(values);
                let turn = Turn::Changed;
                what.insert(field.to_owned(), ValueChange { turn, values });
            }
        }
        let without =
            |a: &BTreeSet<String>, b: &BTreeSet<String>| a.difference(b).cloned().collect();
        Self {
            renamed_from: (before.name != host.name).then(|| before.name.clone()),
            joined: without(&host.groups, &before.groups),
            left: without(&before.groups, &host.groups),
            what,
            host,
        }
    }

    /// Everything that changes, by name.
    fn all(&self) -> impl Iterator<Item = &str> {
        let moved = !self.joined.is_empty() || !self.left.is_empty();
        let name = self.renamed_from.is_some().then_some("name");
        let groups = moved.then_some("groups");
        name.into_iter()
            .chain(groups)
            .chain(self.what.keys().map(String::as_str))
    }
}

/// For the audit trail: “New: a. Removed: b. Changed: c, d. What changed: groups.” Empty when nothing changes.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |hosts: &[Host]| listed(hosts.iter().map(|host| &host.name), 20);
        let changed = self.changed.iter().map(|change| &change.host.name);
        let what: BTreeSet<&str> = self.changed.iter().flat_map(HostChange::all).collect();
        let parts: Vec<String> = [
            ("New", names(&self.added)),
            ("Removed", names(self.removed())),
            ("Changed", listed(changed, 20)),
            ("What changed", listed(what, 20)),
        ]
        .into_iter()
        .filter(|(_, things)| !things.is_empty())
        .map(|(word, things)| format!("{word}: {things}."))
        .collect();
        f.write_str(&parts.join(" "))
    }
}

fn found_alike(one: &HostName, other: &HostName, address: &str) -> FieldError {
    refuse(format!(
        "{one} and {other} are both found at {address}. Jobs take turns on a host, and would not on one machine that is two of them: keep one, or correct the other's ansible_host or ansible_port."
    ))
}

fn called_alike(name: &HostName, one: &str, other: &str) -> FieldError {
    refuse(format!(
        "Two hosts are called “{name}” (identities “{one}” and “{other}”). Ansible could not tell them apart. If they are one machine, give it the slipway_identity it is known by; if not, rename one."
    ))
}

fn refuse(message: String) -> FieldError {
    FieldError::new("inventory", message)
}
