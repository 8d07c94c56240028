//! Asks the hosts themselves, past Slipway, which version runs.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context, Result};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};

use crate::record::Record;

const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// What a host says it runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Running {
    pub name: String,
    pub environment: String,
    pub address: Ipv4Addr,
    pub version: String,
}

#[derive(Deserialize)]
struct Health {
    version: String,
}

/// Asks the health endpoint of every host.
pub async fn ask(record: &Record) -> Result<Vec<Running>> {
    let client = reqwest::Client::builder().timeout(ANSWER_WITHIN).build()?;
    try_join_all(record.hosts.iter().map(async |host| {
        let url = format!(
            "http://{}:{}/health",
            host.address, record.service.health_port
        );
        let answer = async {
            client
                .get(&url)
                .send()
                .await?
                .error_for_status()?
                .json::<Health>()
                .await
        };
        let Health { version } = answer
            .await
            .with_context(|| format!("{} does not say at {url} what it runs", host.name))?;
        let (name, environment) = (host.name.clone(), host.environment.clone());
        Ok(Running {
            name,
            environment,
            address: host.address,
            version,
        })
    }))
    .await
}
