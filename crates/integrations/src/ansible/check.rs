//! Is everything there that a run needs?

use std::path::{Path, PathBuf};

use domain::job::JobKind;

use super::{ANSWER_TIME, MEMORY, Settings, ToolError, ask, names::PlaybookName, project::Project};

/// What is missing, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    #[error(transparent)]
    Tool(#[from] ToolError),
    #[error("{program} does not work: {why}. Run `{program} --version` as the user that runs Slipway.", program = program.display())]
    Broken { program: PathBuf, why: String },
    #[error("There is no playbook {path}. For the playbooks that came with Slipway, set `ansible.project_dir` to its folder automation/ansible; for others, name the playbook as it is called in the project.", path = .0.display())]
    NoPlaybook(PathBuf),
}

/// The version of ansible-core, such as `2.19.1`.
pub async fn version(settings: &Settings) -> Result<String, CheckError> {
    const NOTHING: &[(&str, &str)] = &[];
    let program = &settings.playbook_bin;
    let answer = ask(
        program,
        &["--version"],
        NOTHING,
        Path::new("/"),
        (ANSWER_TIME, MEMORY),
    )
    .await?;
    let said = String::from_utf8_lossy(&answer.stdout);
    // "ansible-playbook [core 2.19.1]"
    let version = said
        .lines()
        .next()
        .and_then(|line| line.split_once("[core ")?.1.split([']', ' ']).next());
    match version {
        Some(version) if answer.ok => Ok(version.to_owned()),
        _ => {
            let why = answer
                .stderr
                .lines()
                .rfind(|line| !line.trim().is_empty())
                .unwrap_or("it did not tell its version");
            Err(CheckError::Broken {
                program: program.clone(),
                why: why.chars().take(300).collect(),
            })
        }
    }
}

/// The shipped playbook that does a job of this kind, as a path inside the project folder.
pub fn playbook(settings: &Settings, kind: JobKind) -> Result<PlaybookName, CheckError> {
    Project::shipped(settings).playbook(kind).cloned()
}
