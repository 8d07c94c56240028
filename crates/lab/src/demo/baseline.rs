//! Waits until there is something to compare a batch with.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::record::Record;

/// The seconds of the past a batch is compared with.
const SECONDS: i64 = 30;
const WITHIN: Duration = Duration::from_secs(60);
const ASK_EVERY: Duration = Duration::from_millis(500);

/// Returns once telemetry has known every host of `environment` for as long as a batch is compared with.
pub async fn known(record: &Record, environment: &str) -> Result<()> {
    let hosts = record
        .hosts
        .iter()
        .filter(|host| host.environment == environment)
        .count();
    let datadog = &record.datadog;
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(10))
        .build()?;
    let known = async || -> Result<usize> {
        let now = jiff::Timestamp::now().as_second();
        // The newest second is still half-filled, and one or two more may be under way.
        let (from, to) = ((now - SECONDS - 10).to_string(), now.to_string());
        let query = format!("sum:slipway_demo.up{{env:{environment}}} by {{host}}");
        let answer = client
            .get(format!("{}/api/v1/query", datadog.url))
            .header("DD-API-KEY", &datadog.api_key)
            .header("DD-APPLICATION-KEY", &datadog.app_key)
            .query(&[("from", from), ("to", to), ("query", query)]);
        let answer: serde_json::Value = answer.send().await?.error_for_status()?.json().await?;
        let long_enough = |series: &&serde_json::Value| {
            series["pointlist"]
                .as_array()
                .and_then(|points| i64::try_from(points.len()).ok())
                >= Some(SECONDS)
        };
        Ok(answer["series"]
            .as_array()
            .map_or(0, |series| series.iter().filter(long_enough).count()))
    };
    let deadline = Instant::now() + WITHIN;
    loop {
        let found = known()
            .await
            .context("the lab's telemetry does not answer")?;
        if found == hosts {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!(
                "only {found} of {hosts} hosts reported for {SECONDS} s within {} s, too little to compare with",
                WITHIN.as_secs()
            );
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}
