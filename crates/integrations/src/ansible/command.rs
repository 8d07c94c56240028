//! From a job to the command that does it.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
    time::Duration,
};

use domain::{
    id::{AttemptId, RolloutId},
    job::JobKind,
    release::{ArtifactSource, Release},
    service::Installation,
    text::{HostName, Slug, Version},
};
use serde_json::{Map, Value, json};

use super::{Settings, base_env, check, template_in};
use crate::{
    file,
    supervisor::{RecordError, Spec},
};

/// One run of a playbook.
#[derive(Debug, Clone)]
pub struct Run<'a> {
    pub attempt: AttemptId,
    pub rollout: RolloutId,
    /// 1-based.
    pub batch: u32,
    pub kind: JobKind,
    pub service: &'a Slug,
    pub installation: &'a Installation,
    pub release: &'a Release,
    /// Folder that [`ArtifactSource::File`] names a file in.
    pub artifacts_dir: &'a Path,
    pub hosts: Vec<Target<'a>>,
    /// The run is ended after this long.
    pub deadline: Duration,
}

/// A host of a run.
#[derive(Debug, Clone)]
pub struct Target<'a> {
    pub name: &'a HostName,
    /// As the inventory gave them, already checked.
    pub variables: &'a BTreeMap<String, Value>,
    /// The version it ran before the rollout; what a roll back brings again.
    pub before: Option<&'a Version>,
}

/// Why a run cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    #[error(transparent)]
    Check(#[from] check::CheckError),
    #[error("There is no artefact {path}. Put the file into the artefact folder, or correct the rollout's artefact.", path = .0.display())]
    NoArtifact(PathBuf),
    #[error("The run has no hosts.")]
    NoHosts,
    #[error(
        "The value of {name} holds a template ({text}), which Ansible would run. Give the plain value."
    )]
    Template { name: String, text: String },
    #[error("The path {path} has characters that cannot be given to ssh. Move it to a path of letters, digits, dots, hyphens, underscores and spaces.", path = .0.display())]
    Path(PathBuf),
    #[error("There is no folder for ssh's sockets whose path is short enough: {path}. Set TMPDIR to a short path such as /tmp.", path = .0.display())]
    SocketPath(PathBuf),
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// Where one signal or request may take this long before everything is killed.
const GRACE: Duration = Duration::from_secs(10);
/// A socket's path has 107 bytes; ssh appends a slash, ten digits, a dot and sixteen letters.
const LONGEST_SOCKET_FOLDER: usize = 107 - 1 - 10 - 17;

/// Writes `inventory.json` and `vars.json` (mode 0600) into the attempt's folder and returns what the supervisor is to
/// run. May be repeated.
pub fn write(settings: &Settings, folder: &Path, run: &Run<'_>) -> Result<Spec, CommandError> {
    let playbook = check::playbook(settings, run.kind)?;
    let inventory = inventory(run)?;
    let variables = variables(run)?;
    file::private_folder(folder).map_err(|error| RecordError::write(folder, error))?;
    let stored = |name: &str, value: &Value| {
        let path = folder.join(name);
        file::replace(&path, value.to_string().as_bytes())
            .map_err(|error| RecordError::write(&path, error))?;
        text(path)
    };
    let inventory = stored("inventory.json", &inventory)?;
    let variables = stored("vars.json", &variables)?;

    let sockets = socket_folder(folder, run.attempt)?;
    let home = folder.join("ansible");
    let spec = Spec {
        argv: vec![
            text(settings.playbook_bin.clone())?,
            "--inventory".to_owned(),
            inventory,
            "--extra-vars".to_owned(),
            format!("@{variables}"),
            playbook.to_owned(),
        ],
        env: environment(settings, &sockets, &home)?,
        cwd: settings.project_dir.clone(),
        deadline_after: run.deadline,
        grace: GRACE,
        redact: secrets(run),
        event_fd: true,
        scratch: vec![sockets, home],
    };
    Ok(spec)
}

/// What the playbooks call the kinds.
const fn word(kind: JobKind) -> &'static str {
    match kind {
        JobKind::Deploy => "deploy",
        JobKind::Probe => "probe",
        JobKind::RollBack => "rollback",
    }
}

fn inventory(run: &Run<'_>) -> Result<Value, CommandError> {
    if run.hosts.is_empty() {
        return Err(CommandError::NoHosts);
    }
    let mut hosts = Map::new();
    for target in &run.hosts {
        let mut variables: Map<String, Value> = target.variables.clone().into_iter().collect();
        // Below the host's own root, so that no two services share a folder.
        let root = target.variables.get("slipway_root");
        let root = root.and_then(Value::as_str).unwrap_or_default();
        variables.insert(
            "slipway_install_root".to_owned(),
            json!(format!("{root}{}", run.installation.install_root)),
        );
        if run.kind == JobKind::RollBack {
            variables.insert(
                "slipway_rollback_to".to_owned(),
                json!(target.before.map_or("", Version::as_str)),
            );
        }
        refuse_templates(&variables)?;
        hosts.insert(target.name.to_string(), variables.into());
    }
    Ok(json!({ "all": { "hosts": hosts } }))
}

/// What the playbook is given and must not repeat: the query of a signed address is as good as a password.
fn secrets(run: &Run<'_>) -> Vec<String> {
    let secret = run.release.artifact.secret();
    secret.map(str::to_owned).into_iter().collect()
}

fn variables(run: &Run<'_>) -> Result<Value, CommandError> {
    let mut variables = Map::new();
    let mut set = |name: &str, value: Value| {
        variables.insert(format!("slipway_{name}"), value);
    };
    set("attempt_id", json!(run.attempt.to_string()));
    set("rollout_id", json!(run.rollout.to_string()));
    set("batch", json!(run.batch));
    set("kind", json!(word(run.kind)));
    set("service", json!(run.service.as_str()));
    set("version", json!(run.release.version.as_str()));
    set("health_port", json!(run.installation.health_port));
    set("health_path", json!(run.installation.health_path));
    if run.kind == JobKind::Deploy {
        let artifact = match &run.release.artifact {
            ArtifactSource::Url(url) => url.clone(),
            ArtifactSource::File(name) => {
                let path = run.artifacts_dir.join(name);
                if !path.is_file() {
                    return Err(CommandError::NoArtifact(path));
                }
                text(path)?
            }
        };
        set("artifact", json!(artifact));
        set("artifact_sha256", json!(run.release.sha256.as_str()));
    }
    refuse_templates(&variables)?;
    Ok(variables.into())
}

/// Whatever was checked before: here is the last place where a template can be kept from running.
fn refuse_templates(variables: &Map<String, Value>) -> Result<(), CommandError> {
    variables
        .iter()
        .try_for_each(|(name, value)| match template_in(value) {
            None => Ok(()),
            Some(text) => Err(CommandError::Template {
                name: name.clone(),
                text: text.chars().take(60).collect(),
            }),
        })
}

fn environment(
    settings: &Settings,
    sockets: &Path,
    home: &Path,
) -> Result<BTreeMap<String, String>, CommandError> {
    let mut env = base_env();
    let mut set = |name: &str, value: String| {
        env.insert(format!("ANSIBLE_{name}"), value);
    };
    let project = &settings.project_dir;
    set("CONFIG", text(project.join("ansible.cfg"))?);
    set("CALLBACK_PLUGINS", text(project.join("plugins/callback"))?);
    set("CALLBACKS_ENABLED", "slipway_events".to_owned());
    set("INVENTORY_ENABLED", "yaml".to_owned());
    set("FORCE_COLOR", "1".to_owned());
    set("FORKS", settings.forks.max(1).to_string());
    set("HOME", text(home.to_owned())?);
    set("LOCAL_TEMP", text(home.join("tmp"))?);
    set("HOST_KEY_CHECKING", "True".to_owned());
    set("SSH_CONTROL_PATH_DIR", text(sockets.to_owned())?);
    let mut ssh = "-o StrictHostKeyChecking=yes".to_owned();
    if let Some(known_hosts) = &settings.known_hosts {
        ssh.push_str(&format!(
            " -o 'UserKnownHostsFile=\"{}\"'",
            for_ssh(known_hosts)?
        ));
    }
    if let Some(key) = &settings.ssh_private_key {
        set("PRIVATE_KEY_FILE", text(key.clone())?);
        ssh.push_str(" -o IdentitiesOnly=yes");
    }
    set("SSH_COMMON_ARGS", ssh);
    Ok(env)
}

/// A path that means the same after a shell-like split and ssh's own reading of it.
fn for_ssh(path: &Path) -> Result<&str, CommandError> {
    path.to_str()
        .filter(|text| {
            text.chars()
                .all(|c| c.is_alphanumeric() || "/ ._-+@,=:".contains(c))
        })
        .ok_or_else(|| CommandError::Path(path.to_owned()))
}

fn text(path: PathBuf) -> Result<String, CommandError> {
    path.into_os_string()
        .into_string()
        .map_err(|path| CommandError::Path(path.into()))
}

/// A private folder for ssh's sockets: in the attempt's folder if that path is short enough, or else in the system's
/// temporary one.
fn socket_folder(folder: &Path, attempt: AttemptId) -> Result<PathBuf, CommandError> {
    let inside = folder.join("ssh");
    if inside.as_os_str().len() <= LONGEST_SOCKET_FOLDER {
        file::private_folder(&inside).map_err(|error| RecordError::write(&inside, error))?;
        return Ok(inside);
    }
    let outside = std::env::temp_dir().join(format!("slipway-{}", attempt.0.simple()));
    if outside.as_os_str().len() > LONGEST_SOCKET_FOLDER {
        return Err(CommandError::SocketPath(outside));
    }
    let failed = |error: io::Error| RecordError::write(&outside, error);
    match fs::DirBuilder::new().mode(0o700).create(&outside) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            // Anybody may make folders here; only our own, from an earlier try, will do.
            let found = fs::symlink_metadata(&outside).map_err(failed)?;
            let ours = found.is_dir()
                && found.uid() == rustix::process::geteuid().as_raw()
                && found.mode() & 0o077 == 0;
            if !ours {
                return Err(failed(error).into());
            }
        }
        Err(error) => return Err(failed(error).into()),
    }
    Ok(outside)
}
