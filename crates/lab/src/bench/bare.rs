//! The command of an attempt, run without Slipway: alone, or under what else watches playbooks.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use tokio::process::Command;

use super::peers::PYTHON;
use crate::{disk, processes};

const RUNNER: &str = include_str!("peers/runner.py");

/// Who watches the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watch {
    Nobody,
    /// Its callback writes every result into an SQLite file, from within Ansible.
    Ara,
    /// It starts Ansible, and keeps its output and an event for each result in files.
    AnsibleRunner,
}

impl Watch {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nobody => "ansible-playbook",
            Self::Ara => "ARA",
            Self::AnsibleRunner => "ansible-runner",
        }
    }

    /// The command that makes it so, instead of `alone`.
    async fn command(self, alone: Command, spec: &Path, mark: &Path) -> Result<Command> {
        let notes = mark.with_extension(self.name());
        let python = std::path::absolute(PYTHON)?;
        match self {
            Self::Nobody => Ok(alone),
            Self::Ara => {
                let mut command = alone;
                let asked = Command::new(&python)
                    .args(["-c", "import ara.plugins, pathlib, sys; print(pathlib.Path(ara.plugins.__path__[0]))"])
                    .output()
                    .await
                    .with_context(|| missing(&python))?;
                let plugins = PathBuf::from(String::from_utf8(asked.stdout)?.trim());
                let Some(packages) = plugins.ancestors().nth(2) else {
                    bail!(missing(&python));
                };
                command
                    .env("ANSIBLE_CALLBACK_PLUGINS", plugins.join("callback"))
                    .env("ANSIBLE_CALLBACKS_ENABLED", "ara_default")
                    .env("PYTHONPATH", packages)
                    .env("ARA_BASE_DIR", &notes);
                Ok(command)
            }
            Self::AnsibleRunner => {
                let program = mark.with_extension("py");
                disk::write(&program, RUNNER.as_bytes(), 0o644)?;
                let mut command = Command::new(&python);
                command.arg(program).arg(spec).arg(notes);
                for (name, value) in alone.as_std().get_envs() {
                    if let Some(value) = value {
                        command.env(name, value);
                    }
                }
                command.env_remove("ANSIBLE_CALLBACK_PLUGINS");
                command.env_remove("ANSIBLE_CALLBACKS_ENABLED");
                Ok(command)
            }
        }
    }
}

fn missing(python: &Path) -> String {
    format!(
        "{} could not be asked: install it with `scripts/setup bench`",
        python.display()
    )
}

/// What of an attempt's `spec.json` decides how its playbook runs.
#[derive(Deserialize)]
struct Spec {
    argv: Vec<String>,
    env: BTreeMap<String, String>,
    cwd: PathBuf,
}

/// Runs what the attempt in `folder` ran: the same command, inventory, variables, folder and environment. Returns how
/// long it took, from before its start until it had ended. `mark` names a folder; beside it goes the output, and what `watch`
/// keeps.
///
/// Like the attempt it begins without connections of ssh; those it keeps open are ended after the clock has stopped.
pub async fn run(folder: &Path, mark: &Path, watch: Watch) -> Result<Duration> {
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
    let mut alone = Command::new(program);
    alone.args(arguments).env_clear().envs(&spec.env);
    let mut command = watch.command(alone, &path, mark).await?;
    let began = Instant::now();
    let status = command
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
            "the playbook under {} ended with {status}: see {}",
            watch.name(),
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
