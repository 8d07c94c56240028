//! Ansible: reading inventories, running the shipped playbooks, understanding what they report.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::process::Command;

use crate::process::{self, Bounds, Failure};

pub mod check;
pub mod command;
mod environment;
pub mod events;
pub mod inventory;
pub mod last;
pub mod names;
pub mod project;
pub mod reach;
mod secrets;
pub mod timings;

/// Where Ansible is and how it reaches hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `ansible-playbook`: a path, or a name to be found in `PATH`. Its other programs are taken from beside it.
    pub playbook_bin: PathBuf,
    /// Absolute folder with `ansible.cfg`, `playbooks/`, `roles/` and `plugins/`.
    pub project_dir: PathBuf,
    /// `None` leaves the choice to ssh.
    pub ssh_private_key: Option<PathBuf>,
    /// `None` is ssh's own file of the user Slipway runs as. Unknown hosts are refused unless an environment says otherwise.
    pub known_hosts: Option<PathBuf>,
    /// How many hosts are worked on at once.
    pub forks: u32,
}

/// A program of Ansible that only reads did not answer.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    #[error("Ansible is not installed: there is no {program}. Install ansible-core 2.16 or later (`pip install ansible-core`), or set `ansible.playbook_bin` to the full path of ansible-playbook.", program = .0.display())]
    Missing(PathBuf),
    #[error("{program} could not be run: {why}. See that the user that runs Slipway may execute it.", program = program.display())]
    Failed { program: PathBuf, why: io::Error },
    #[error("{program} gave no answer within {seconds} s. Try again; if it happens again, run it by hand.", program = program.display())]
    Slow { program: PathBuf, seconds: u64 },
    #[error("{program} answered with more than {megabytes} MB. Divide the input.", program = program.display())]
    TooMuch { program: PathBuf, megabytes: u64 },
}

const ANSWER_TIME: Duration = Duration::from_secs(60);
const ANSWER_SIZE: u64 = 32 << 20;
/// Address space for a program that reads what people typed, where a few letters can ask for a billion hosts.
/// An inventory of 10,000 hosts takes a fifth of it.
const MEMORY: u64 = 1 << 30;
/// The same where scripts and plugins run, in whatever language.
const MEMORY_OF_SCRIPTS: u64 = 2 << 30;

struct Answer {
    ok: bool,
    stdout: Vec<u8>,
    stderr: String,
}

/// Runs one of Ansible's programs that only reads, in `cwd`, with nothing in its environment but [`base_env`] and `env`.
async fn ask(
    program: &Path,
    args: &[&str],
    env: &[(&str, impl AsRef<OsStr>)],
    cwd: &Path,
    (time, memory): (Duration, u64),
) -> Result<Answer, ToolError> {
    let bounds = Bounds {
        time,
        output: ANSWER_SIZE,
        memory: Some(memory),
        file: None,
    };
    let mut command = Command::new(program);
    command
        .args(args)
        .env_clear()
        .envs(base_env())
        .envs(env.iter().map(|(name, value)| (*name, value)))
        .current_dir(cwd);
    let program = || program.to_owned();
    match process::run(&mut command, &[], bounds).await {
        Ok(output) => Ok(Answer {
            ok: output.status.success(),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }),
        Err(Failure::Start(why)) if why.kind() == io::ErrorKind::NotFound => {
            Err(ToolError::Missing(program()))
        }
        Err(Failure::Start(why)) => Err(ToolError::Failed {
            program: program(),
            why,
        }),
        Err(Failure::Slow) => Err(ToolError::Slow {
            program: program(),
            seconds: time.as_secs(),
        }),
        Err(Failure::TooMuch) => Err(ToolError::TooMuch {
            program: program(),
            megabytes: ANSWER_SIZE >> 20,
        }),
    }
}

/// What every program of Ansible gets of our environment; everything else is set for it.
fn base_env() -> BTreeMap<String, String> {
    let kept = |name, fallback: &str| {
        (
            String::from(name),
            std::env::var(name).unwrap_or_else(|_| fallback.to_owned()),
        )
    };
    BTreeMap::from([
        kept("PATH", "/usr/local/bin:/usr/bin:/bin"),
        kept("HOME", "/"),
        ("LANG".to_owned(), "C.UTF-8".to_owned()),
    ])
}
