//! Requests for a page as fast as they are answered, by wrk.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use tokio::process::Command;
use url::Url;

use super::median;
use crate::demo::browser::Browser;
use crate::demo::stage::Scene;
use crate::disk;

/// Connections that ask side by side.
const CONNECTIONS: [u32; 2] = [4, 1];
/// Seconds of one run.
pub const SECONDS: u32 = 4;
/// Runs of each page with each number of connections.
const ROUNDS: usize = 5;

/// Makes wrk say what it saw as JSON, in the last line of its output.
const REPORT: &str = r#"
done = function(summary, latency, requests)
  io.write(string.format(
    '{"requests":%d,"seconds":%.6f,"bytes":%d,"p50_ms":%.3f,"p99_ms":%.3f,"refused":%d,"broken":%d}\n',
    summary.requests, summary.duration / 1e6, summary.bytes, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    summary.errors.status, summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
"#;

/// One run of wrk on one page.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Seen {
    pub requests: u64,
    pub seconds: f64,
    /// Of all answers, with their headers.
    pub bytes: u64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// Answers with a status of 400 or more.
    pub refused: u64,
    /// Requests without a whole answer.
    pub broken: u64,
}

/// Both pages with one number of connections.
#[derive(Debug, Serialize)]
pub struct Load {
    pub connections: u32,
    pub page: Vec<Seen>,
    pub empty: Vec<Seen>,
}

impl Load {
    /// “4 connections”.
    pub fn with(&self) -> String {
        match self.connections {
            1 => "1 connection".to_owned(),
            more => format!("{more} connections"),
        }
    }
}

/// Answers per second, the middle of all runs.
pub fn rate(runs: &[Seen]) -> f64 {
    median(runs.iter().map(|seen| seen.requests as f64 / seen.seconds))
}

/// Milliseconds that 99 of 100 answers stayed below, the middle of all runs.
pub fn p99(runs: &[Seen]) -> f64 {
    median(runs.iter().map(|seen| seen.p99_ms))
}

/// Bytes of one answer.
pub fn size(runs: &[Seen]) -> f64 {
    median(
        runs.iter()
            .map(|seen| seen.bytes as f64 / seen.requests.max(1) as f64),
    )
}

/// Asks for `page` and `empty` in turns, signed in as `browser`. The answer to `empty` may be a refusal.
pub async fn measure(
    scene: &Scene,
    browser: &Browser,
    page: &str,
    empty: &str,
) -> Result<Vec<Load>> {
    let script = scene.data.with_file_name("wrk.lua");
    disk::write(&script, REPORT.as_bytes(), 0o644)?;
    let wrk = Wrk {
        script,
        console: &scene.console,
        cookie: browser.cookie()?,
    };
    scene.narrator.say(
        "bench",
        &format!("asks for {page} and {empty}, each {ROUNDS} times {SECONDS} s with {} and {} connections", CONNECTIONS[0], CONNECTIONS[1]),
    );
    for path in [page, empty] {
        wrk.ask(path, CONNECTIONS[0], 1).await?;
    }
    let mut loads = Vec::new();
    for connections in CONNECTIONS {
        let (mut pages, mut empties) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let seen = wrk.ask(page, connections, SECONDS).await?;
            if seen.refused > 0 {
                bail!(
                    "{} of {} requests for {page} were refused",
                    seen.refused,
                    seen.requests
                );
            }
            pages.push(seen);
            empties.push(wrk.ask(empty, connections, SECONDS).await?);
        }
        loads.push(Load {
            connections,
            page: pages,
            empty: empties,
        });
    }
    Ok(loads)
}

struct Wrk<'a> {
    script: PathBuf,
    console: &'a Url,
    cookie: String,
}

impl Wrk<'_> {
    async fn ask(&self, path: &str, connections: u32, seconds: u32) -> Result<Seen> {
        let said = Command::new("wrk")
            .arg("--threads=1")
            .arg(format!("--connections={connections}"))
            .arg(format!("--duration={seconds}s"))
            .arg("--timeout=10s")
            .arg("--script")
            .arg(&self.script)
            // What a browser asks with.
            .arg(format!("--header=Cookie: {}", self.cookie))
            .arg("--header=Accept: text/html")
            .arg("--header=Accept-Encoding: gzip, deflate, br")
            .arg(self.console.join(path)?.as_str())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .context("wrk could not be started: install it with `scripts/setup bench`")?;
        let text = String::from_utf8_lossy(&said.stdout);
        let seen = text
            .lines()
            .last()
            .and_then(|line| serde_json::from_str::<Seen>(line).ok());
        match seen {
            Some(seen) if said.status.success() && seen.requests > 0 && seen.broken == 0 => {
                Ok(seen)
            }
            _ => bail!(
                "wrk did not measure {path} ({}): {} {}",
                said.status,
                text.trim(),
                String::from_utf8_lossy(&said.stderr).trim()
            ),
        }
    }
}
