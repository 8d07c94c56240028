//! The hosts Datadog knows, as an inventory.

use std::{collections::BTreeMap, net::IpAddr, str::FromStr};

use domain::text::HostName;
use serde_json::{Value, json};

use super::{Client, Error, types::RawHost};
use crate::ansible::inventory::{InventoryHost, check};

/// Which hosts, and into which groups.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// As in Datadog's own list of hosts: part of a name, an alias, or a tag such as `env:prod`. Empty is all.
    pub filter: String,
    /// A host with `role:web` belongs to the group `web` where this is `role`.
    pub group_by: Option<TagKey>,
}

/// What stands before the colon of a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagKey(String);

impl FromStr for TagKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim().to_lowercase();
        let good = text.starts_with(char::is_alphabetic)
            && text.len() <= 200
            && text
                .chars()
                .all(|c| c.is_alphanumeric() || "_-./".contains(c));
        if good {
            Ok(Self(text))
        } else {
            Err("A tag's key starts with a letter and has letters, digits, hyphens, underscores, dots and slashes, such as “role”.".to_owned())
        }
    }
}

/// What Datadog's list came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    /// In the order of their names. `slipway_identity` is the cloud's id, or else Datadog's own.
    pub hosts: Vec<InventoryHost>,
    /// A sentence for each host that cannot be taken.
    pub left_out: Vec<String>,
}

impl Client {
    /// The selected hosts as an inventory, with what is allowed in one that is pasted. An inventory that would not be
    /// whole is refused.
    pub async fn inventory(&self, selection: &Selection) -> Result<Inventory, Error> {
        let mut narrowed = vec![("include_hosts_metadata", "true")];
        let filter = selection.filter.trim();
        if !filter.is_empty() {
            narrowed.push(("filter", filter));
        }
        let listed = self.list_hosts(&narrowed).await?;
        if listed.more {
            return Err(Error::TooMany {
                hosts: listed.hosts.len(),
            });
        }
        let mut hosts: BTreeMap<HostName, InventoryHost> = BTreeMap::new();
        let mut left_out = Vec::new();
        for raw in listed.hosts {
            match host(raw, selection.group_by.as_ref()) {
                Err(why) => left_out.push(why),
                // A page may move while the next is read, so that a host is seen twice.
                Ok(host) => {
                    hosts.entry(host.name.clone()).or_insert(host);
                }
            }
        }
        Ok(Inventory {
            hosts: hosts.into_values().collect(),
            left_out,
        })
    }
}

fn host(raw: RawHost, group_by: Option<&TagKey>) -> Result<InventoryHost, String> {
    let (id, address) = (raw.id, address(&raw));
    let known = raw
        .named()
        .ok_or("A host without a name is left out.".to_owned())?;
    let name: HostName = known
        .name
        .parse()
        .map_err(|error: domain::text::FieldError| error.message)?;
    let identity = std::iter::once(&known.name)
        .chain(&known.aliases)
        .find(|alias| of_a_cloud(alias))
        .cloned()
        .or_else(|| id.map(|id| format!("datadog-{id}")));
    let groups = known
        .tags
        .iter()
        .filter_map(|tag| tag.split_once(':'))
        .filter(|(key, _)| group_by.is_some_and(|wanted| wanted.0 == *key))
        .filter_map(|(_, value)| group(value))
        .collect();
    let variables: BTreeMap<String, Value> =
        [("slipway_identity", identity), ("ansible_host", address)]
            .into_iter()
            .filter_map(|(variable, text)| Some((variable.to_owned(), json!(text?))))
            .collect();
    for (variable, value) in &variables {
        check(&name, variable, value).map_err(|error| error.to_string())?;
    }
    Ok(InventoryHost {
        name,
        groups,
        variables,
    })
}

/// An instance of AWS or Alibaba, or the id of a virtual machine of Azure.
fn of_a_cloud(alias: &str) -> bool {
    let hex = |text: &str| text.chars().all(|c| c.is_ascii_hexdigit());
    let aws = alias.strip_prefix("i-").is_some_and(|id| {
        (8..=20).contains(&id.len()) && id.chars().all(|c| c.is_ascii_alphanumeric())
    });
    let parts: Vec<&str> = alias.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    aws || lengths == [8, 4, 4, 4, 12] && parts.iter().all(|part| hex(part))
}

/// What the agent saw of the machine's address, or else its full name.
fn address(raw: &RawHost) -> Option<String> {
    let seen: Value = serde_json::from_str(&raw.meta.gohai).unwrap_or_default();
    let reachable = |address: &IpAddr| !address.is_loopback() && !address.is_unspecified();
    ["ipaddress", "ipaddressv6"]
        .iter()
        .filter_map(|field| seen["network"][field].as_str()?.parse().ok())
        .find(reachable)
        .map(|address: IpAddr| address.to_string())
        .or_else(|| {
            let name = raw.meta.fqdn.trim_end_matches('.');
            (name.contains('.') && !name.starts_with("localhost")).then(|| name.to_owned())
        })
}

/// A group of Ansible's for the value of a tag.
fn group(value: &str) -> Option<String> {
    let plain: String = value
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "_.-".contains(c) {
                c
            } else {
                '_'
            }
        })
        .collect();
    (!plain.is_empty() && !["all", "ungrouped"].contains(&plain.as_str())).then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clouds_name_their_machines() {
        for id in [
            "i-deadbeef",
            "i-0a1b2c3d4e5f67890",
            "5a1e4b5c-1234-4abc-9def-0123456789ab",
        ] {
            assert!(of_a_cloud(id), "{id}");
        }
        for name in ["web-1", "i-1", "i-", "a-b-c-d-e", "vagrant", ""] {
            assert!(!of_a_cloud(name), "{name}");
        }
    }

    #[test]
    fn keys_of_tags_are_checked() {
        assert_eq!("Role".parse(), Ok(TagKey("role".to_owned())));
        for bad in ["", "1a", "a b", "a:b", "a,b"] {
            assert!(bad.parse::<TagKey>().is_err(), "{bad}");
        }
    }

    #[test]
    fn values_of_tags_become_groups() {
        assert_eq!(group("eu-west/1 a"), Some("eu-west_1_a".to_owned()));
        assert_eq!((group("all"), group("")), (None, None));
    }
}
