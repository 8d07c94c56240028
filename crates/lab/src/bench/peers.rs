//! Queues from PyPI, measured as Slipway's is.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use tokio::process::Command;

use super::queue::AT_ONCE;
use crate::demo::stage::clear;
use crate::disk;

const PROGRAM: &str = include_str!("peers/peers.py");
/// Jobs at once with which peers are measured, beside as many as Slipway's.
const FEW: u32 = 8;
/// Installed by `scripts/setup bench`.
pub const PYTHON: &str = ".tools/peers/bin/python";

/// What was seen of one of them.
#[derive(Debug, Serialize, Deserialize)]
pub struct Peer {
    #[serde(default)]
    pub name: String,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub jobs_per_second: f64,
}

/// Measures `name` on `place`, which is a folder or the address of a database, with few and with many jobs at once; gives
/// the best of both. `dir` is made anew.
pub async fn measure(name: &str, place: &str, dir: &Path) -> Result<Peer> {
    let few = measure_with(name, place, dir, FEW).await?;
    let many = measure_with(name, place, dir, AT_ONCE).await?;
    Ok(Peer {
        p50_ms: few.p50_ms.min(many.p50_ms),
        p99_ms: few.p99_ms.min(many.p99_ms),
        jobs_per_second: few.jobs_per_second.max(many.jobs_per_second),
        name: few.name,
    })
}

async fn measure_with(name: &str, place: &str, dir: &Path, at_once: u32) -> Result<Peer> {
    clear(dir)?;
    fs::create_dir_all(dir)?;
    let program = dir.join("peers.py");
    disk::write(&program, PROGRAM.as_bytes(), 0o644)?;
    let said = Command::new(PYTHON)
        .arg(&program)
        .args([name, place])
        .env("NOTES", dir)
        .env("AT_ONCE", at_once.to_string())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| {
            format!("{PYTHON} could not be started: install it with `scripts/setup bench`")
        })?;
    if !said.status.success() {
        bail!(
            "{name} was not measured: {}",
            String::from_utf8_lossy(&said.stderr).trim()
        );
    }
    let peer: Peer = serde_json::from_slice(&said.stdout)
        .with_context(|| format!("what was seen of {name} was not understood"))?;
    Ok(Peer {
        name: name.to_owned(),
        ..peer
    })
}
