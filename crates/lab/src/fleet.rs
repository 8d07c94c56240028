//! Which hosts a lab has: names, addresses, how much each matters, what each would fail with.

use std::net::Ipv4Addr;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

/// How much a host matters; the least critical go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Criticality {
    Low,
    Normal,
    High,
}

/// A host before it exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostSpec {
    pub name: String,
    pub environment: &'static str,
    pub address: Ipv4Addr,
    pub criticality: Criticality,
    pub failure_domain: &'static str,
}

const DOMAINS: [&str; 3] = ["a", "b", "c"];
const HOSTS_PER_NETWORK: u16 = 250;
/// 127.0.10.0/24 to 127.0.19.0/24.
const MOST_HOSTS: u16 = 10 * HOSTS_PER_NETWORK;

/// `dev` hosts of low criticality, then `production` hosts: a third each low, normal and high, failure domains in turn.
/// Addresses count up from 127.0.10.1.
pub fn fleet(dev: u16, production: u16) -> Result<Vec<HostSpec>> {
    let total = u32::from(dev) + u32::from(production);
    if total == 0 {
        bail!("a lab needs at least one host: give --dev or --production a number above 0");
    }
    if total > u32::from(MOST_HOSTS) {
        bail!("a lab has at most {MOST_HOSTS} hosts, {total} were asked for");
    }
    let low = |_| Criticality::Low;
    let by_third = |index: u16| match u32::from(index) * 3 / u32::from(production.max(1)) {
        0 => Criticality::Low,
        1 => Criticality::Normal,
        _ => Criticality::High,
    };
    let dev_hosts = (0..dev).map(|index| ("dev", "dev", index, index, low(index)));
    let production_hosts =
        (0..production).map(|index| ("prod", "production", index, dev + index, by_third(index)));
    Ok(dev_hosts
        .chain(production_hosts)
        .map(
            |(prefix, environment, index, place, criticality)| HostSpec {
                name: format!("{prefix}-{}", index + 1),
                environment,
                address: address(place),
                criticality,
                failure_domain: DOMAINS[usize::from(index) % DOMAINS.len()],
            },
        )
        .collect())
}

fn address(place: u16) -> Ipv4Addr {
    let [_, network] = (10 + place / HOSTS_PER_NETWORK).to_be_bytes();
    let [_, host] = (1 + place % HOSTS_PER_NETWORK).to_be_bytes();
    Ipv4Addr::new(127, 0, network, host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_production_hosts_are_spread_over_criticality_and_domains() {
        let hosts = fleet(3, 6).unwrap();
        let production: Vec<_> = hosts
            .iter()
            .filter(|host| host.environment == "production")
            .map(|host| (host.name.as_str(), host.criticality, host.failure_domain))
            .collect();
        assert_eq!(
            production,
            [
                ("prod-1", Criticality::Low, "a"),
                ("prod-2", Criticality::Low, "b"),
                ("prod-3", Criticality::Normal, "c"),
                ("prod-4", Criticality::Normal, "a"),
                ("prod-5", Criticality::High, "b"),
                ("prod-6", Criticality::High, "c"),
            ]
        );
        assert_eq!(hosts[0].address, Ipv4Addr::new(127, 0, 10, 1));
        assert_eq!(hosts[8].address, Ipv4Addr::new(127, 0, 10, 9));
    }

    #[test]
    fn addresses_are_unique_beyond_one_network() {
        let hosts = fleet(1, 600).unwrap();
        let addresses: std::collections::HashSet<_> =
            hosts.iter().map(|host| host.address).collect();
        assert_eq!(addresses.len(), 601);
        assert!(hosts.iter().all(|host| host.address.octets()[3] != 0));
    }

    #[test]
    fn no_host_or_too_many_are_refused() {
        assert!(fleet(0, 0).is_err());
        assert!(fleet(u16::MAX, u16::MAX).is_err());
    }
}
