//! The lab's hosts as an Ansible inventory, which is what an operator would paste.

use std::fmt::Write as _;

use crate::fleet::Criticality;
use crate::record::{HostRecord, Record};

/// The hosts of `environment` in INI, in the group of the service; `None` when there is none.
pub fn of(record: &Record, environment: &str) -> Option<String> {
    let mut text = format!("[{}]\n", record.service.slug);
    let mut hosts = record
        .hosts
        .iter()
        .filter(|host| host.environment == environment)
        .peekable();
    hosts.peek()?;
    for host in hosts {
        text.push_str(&line(host));
        text.push('\n');
    }
    Some(text)
}

fn line(host: &HostRecord) -> String {
    let criticality = match host.criticality {
        Criticality::Low => "low",
        Criticality::Normal => "normal",
        Criticality::High => "high",
    };
    let mut line = format!(
        "{} ansible_host={} ansible_port={} ansible_user={} slipway_criticality={criticality} slipway_failure_domain={} slipway_identity=lab-{0} slipway_health_retries=4",
        host.name, host.address, host.port, host.user, host.failure_domain,
    );
    // A lab's folder has no space in its path, so nothing needs quotes.
    for (name, value) in &host.vars {
        let _ = write!(line, " {name}={value}");
    }
    line
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;
    use std::net::Ipv4Addr;

    use super::*;
    use crate::record::{Artifact, Artifacts, DatadogKeys, Oidc, Service, Ssh};

    pub fn record() -> Record {
        let host = |number: u8, environment: &str, criticality| HostRecord {
            name: format!("{environment}-{number}"),
            environment: environment.to_owned(),
            address: Ipv4Addr::new(127, 0, 10, number),
            port: 2222,
            user: "me".to_owned(),
            criticality,
            failure_domain: "a".to_owned(),
            vars: BTreeMap::from([("slipway_service_manager".to_owned(), "command".to_owned())]),
        };
        let artifact = |version: &str| Artifact {
            version: version.to_owned(),
            file: format!("/lab/artifacts/checkout-{version}.tar.gz").into(),
            sha256: "0".repeat(64),
        };
        Record {
            datadog: DatadogKeys {
                url: "http://127.0.0.1:1".into(),
                api_key: "a".into(),
                app_key: "b".into(),
            },
            oidc: Oidc {
                issuer: "http://localhost:2".into(),
                client_id: "slipway".into(),
                client_secret: "c".into(),
                people: Vec::new(),
            },
            hosts: vec![
                host(1, "dev", Criticality::Low),
                host(2, "production", Criticality::High),
                host(3, "production", Criticality::Normal),
            ],
            ssh: Ssh {
                private_key: "/lab/ssh/key".into(),
                known_hosts: "/lab/ssh/known_hosts".into(),
            },
            artifacts_dir: "/lab/artifacts".into(),
            artifacts: Artifacts {
                baseline: artifact("1.4.1"),
                good: artifact("1.4.2"),
                bad: artifact("1.5.0"),
            },
            service: Service {
                slug: "checkout".into(),
                install_root: "/opt/checkout".into(),
                health_port: 8480,
            },
        }
    }

    #[test]
    fn an_environment_has_its_own_hosts_in_the_services_group() {
        let text = of(&record(), "production");
        let expected = "[checkout]\n\
            production-2 ansible_host=127.0.10.2 ansible_port=2222 ansible_user=me slipway_criticality=high slipway_failure_domain=a slipway_identity=lab-production-2 slipway_health_retries=4 slipway_service_manager=command\n\
            production-3 ansible_host=127.0.10.3 ansible_port=2222 ansible_user=me slipway_criticality=normal slipway_failure_domain=a slipway_identity=lab-production-3 slipway_health_retries=4 slipway_service_manager=command\n";
        assert_eq!(text.as_deref(), Some(expected));
        assert_eq!(of(&record(), "test"), None);
    }
}
