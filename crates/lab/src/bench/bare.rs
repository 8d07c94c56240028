//! The command of an attempt, run without Slipway.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use tokio::process::Command;

use crate::{disk, processes};

/// What of an attempt's `spec.json` decides how its playbook runs.
#[derive(Deserialize)]
struct Spec {
    argv: Vec<String>,
    env: BTreeMap<String, String>,
    cwd: PathBuf,
}

/// Runs what the attempt in `folder` ran: the same command, inventory, variables, folder and environment. Returns how
/// long it took, from before its start until it had ended. `mark` names a folder; beside it goes the output.
///
/// Like the attempt it begins without connections of ssh; those it keeps open are ended after the clock has stopped.
pub async fn run(folder: &Path, mark: &Path) -> Result<Duration> {
    let path = folder.join("spec.json");
    let spec: Spec = serde_json::from_str(&disk::read(&path)?)
        .with_context(|| format!("{} is not what an attempt runs", path.display()))?;
    let Some((program, arguments)) = spec.argv.split_first() else {
        bail!("{} names no program", path.display());
    };
    let log = mark.with_extension("log");
    let output =
        File::create(&log).with_context(|| format!("{} could not be made", log.display()))?;
    let _ended = Ended(mark);
    let began = Instant::now();
    let status = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(&spec.env)
        .env(processes::MARK, mark)
        .current_dir(&spec.cwd)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .kill_on_drop(true)
        .status()
        .await
        .with_context(|| format!("{program} could not be started"))?;
    let took = began.elapsed();
    if !status.success() {
        bail!(
            "the playbook without Slipway ended with {status}: see {}",
            log.display()
        );
    }
    Ok(took)
}

/// Ends what a run has left, however it came to its end.
struct Ended<'a>(&'a Path);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        let left = processes::end_lab(self.0);
        if !left.is_empty() {
            tracing::error!("processes of the playbook without Slipway do not end: {left:?}");
        }
    }
}
