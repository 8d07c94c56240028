//! Ansible: reading inventories, running the shipped playbooks, understanding what they report.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::Command,
    time::timeout,
};

pub mod check;
pub mod command;
pub mod events;
pub mod inventory;
pub mod last;
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
    /// `None` is ssh's own file of the user Slipway runs as. Unknown hosts are refused in any case.
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
const MEMORY: u64 = 4 << 30;

struct Answer {
    ok: bool,
    stdout: Vec<u8>,
    stderr: String,
}

/// Runs one of Ansible's programs that only reads, in `cwd`, with nothing in its environment but [`base_env`] and `env`.
async fn ask(
    program: &Path,
    args: &[&str],
    env: &[(&str, &Path)],
    cwd: &Path,
) -> Result<Answer, ToolError> {
    let failed = |why: io::Error| match why.kind() {
        io::ErrorKind::NotFound => ToolError::Missing(program.to_owned()),
        _ => ToolError::Failed {
            program: program.to_owned(),
            why,
        },
    };
    let mut child = Command::new(program)
        .args(args)
        .env_clear()
        .envs(base_env())
        .envs(env.iter().copied())
        .current_dir(cwd)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    if let Some(pid) = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed())) {
        // Without the limit the time still is one.
        let _ = prlimit(
            Some(pid),
            Resource::As,
            Rlimit {
                current: Some(MEMORY),
                maximum: Some(MEMORY),
            },
        );
    }
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let reading = async { tokio::try_join!(some_of(stdout), some_of(stderr)) };
    let (stdout, stderr, status) = timeout(ANSWER_TIME, async {
        let (stdout, stderr) = reading.await?;
        if stdout.len() as u64 > ANSWER_SIZE || stderr.len() as u64 > ANSWER_SIZE {
            return Ok((stdout, stderr, None));
        }
        Ok((stdout, stderr, Some(child.wait().await?)))
    })
    .await
    .map_err(|_| ToolError::Slow {
        program: program.to_owned(),
        seconds: ANSWER_TIME.as_secs(),
    })?
    .map_err(failed)?;
    match status {
        Some(status) => Ok(Answer {
            ok: status.success(),
            stdout,
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
        }),
        None => Err(ToolError::TooMuch {
            program: program.to_owned(),
            megabytes: ANSWER_SIZE >> 20,
        }),
    }
}

/// All that comes, up to one byte more than is accepted.
async fn some_of(pipe: Option<impl AsyncRead + Unpin>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        pipe.take(ANSWER_SIZE + 1).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
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

/// The first text in `value` that Ansible would evaluate instead of taking it as it is.
fn template_in(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => ["{{", "{%", "{#"]
            .iter()
            .any(|mark| text.contains(mark))
            .then_some(text),
        Value::Array(values) => values.iter().find_map(template_in),
        Value::Object(fields) => fields.iter().find_map(|(name, value)| {
            ["{{", "{%", "{#"]
                .iter()
                .any(|mark| name.contains(mark))
                .then_some(name.as_str())
                .or_else(|| template_in(value))
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}
