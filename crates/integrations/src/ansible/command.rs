//! From a job to the command that does it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::Duration,
};

use domain::{
    id::{AttemptId, RolloutId},
    job::JobKind,
    release::{ArtifactSource, Release},
    selection::Tags,
    service::Installation,
    text::{HostName, Slug, Version},
    variable::template_in,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

pub use super::secrets::{PROJECT, forget};
use super::{
    Settings, check,
    environment::{Particulars, environment, held_fast, socket_folder, text},
    project::Project,
    reach::Reach,
    secrets::{self, HostSecrets, Private},
};
use crate::{
    file,
    supervisor::{OutputRules, RecordError, Spec},
};

/// One run of a playbook.
#[derive(Debug, Clone)]
pub struct Run<'a> {
    pub attempt: AttemptId,
    pub rollout: RolloutId,
    /// 1-based.
    pub batch: u32,
    pub kind: JobKind,
    pub project: &'a Project,
    /// Only tasks with one of these, where there are any.
    pub tags: Tags,
    /// But none with one of these.
    pub skip_tags: Tags,
    pub reach: &'a Reach,
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
    /// Of the inventory, for playbooks that ask for them.
    pub groups: &'a BTreeSet<String>,
    /// As the inventory gave them, already checked.
    pub variables: &'a BTreeMap<String, Value>,
    /// Variables whose values nobody sees: any text, passed on as it is. They win over `variables`.
    pub secrets: BTreeMap<String, SecretString>,
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
    #[error(
        "“{0}” cannot be the name of a secret variable. Use letters, digits and underscores; of Ansible's own variables only ansible_password and ansible_become_password may be secret."
    )]
    SecretName(String),
    #[error(
        "The private key of the environment is none. Give the whole content of an OpenSSH private key file without a passphrase, from “-----BEGIN” to “-----”."
    )]
    PrivateKey,
    #[error(
        "The certificate of the environment is none. Give the one line of the -cert.pub file that ssh-keygen made when it signed the public key."
    )]
    Certificate,
    #[error("The path {path} has characters that cannot be given to ssh. Move it to a path of letters, digits, dots, hyphens, underscores and spaces.", path = .0.display())]
    Path(PathBuf),
    #[error("There is no folder for ssh's sockets whose path is short enough: {path}. Set TMPDIR to a short path such as /tmp.", path = .0.display())]
    SocketPath(PathBuf),
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// Where one signal or request may take this long before everything is killed.
const GRACE: Duration = Duration::from_secs(10);

/// Writes what a run needs (mode 0600) into the attempt's folder and returns what the supervisor is to run. May be
/// repeated. Secrets stand in `private/`, which the supervisor removes; [`forget`] does if there is none to do so.
pub fn write(settings: &Settings, folder: &Path, run: &Run<'_>) -> Result<Spec, CommandError> {
    let playbook = run.project.playbook(run.kind)?.to_string();
    let inventory = inventory(run)?;
    let secrets = host_secrets(run)?;
    let mut variables = variables(run)?;
    file::private_folder(folder).map_err(|error| RecordError::write(folder, error))?;
    let stored = |name: &str, value: &Value| {
        let path = folder.join(name);
        file::put(&path, value.to_string().as_bytes())
            .map_err(|error| RecordError::write(&path, error))?;
        text(path)
    };
    let mut private = Private::new(folder)?;
    let ssh_config = run.reach.ssh_config(settings, folder, &mut private)?;
    for (name, value) in held_fast(&ssh_config)? {
        variables.insert(name.to_owned(), value);
    }
    let mut argv = vec![
        text(settings.playbook_bin.clone())?,
        "--inventory".to_owned(),
        stored("inventory.json", &inventory)?,
    ];
    if secrets.values().any(|secrets| !secrets.is_empty()) {
        let written = secrets::inventory(&secrets);
        argv.push("--inventory".to_owned());
        argv.push(text(private.store("secrets.yml", written.as_bytes())?)?);
    }
    argv.push("--extra-vars".to_owned());
    argv.push(format!("@{}", stored("vars.json", &variables.into())?));
    if run.kind == JobKind::DryRun {
        argv.extend(["--check", "--diff"].map(str::to_owned));
    }
    for (option, tags) in [("--tags", &run.tags), ("--skip-tags", &run.skip_tags)] {
        if !tags.is_empty() {
            argv.push(format!("{option}={tags}"));
        }
    }
    argv.push(playbook);
    let vault_password = run.reach.vault_password.as_ref();
    let vault_password = vault_password
        .map(|secret| private.store("vault_password", secret.expose_secret().as_bytes()))
        .transpose()?;

    let sockets = socket_folder(folder, run.attempt)?;
    let home = folder.join("ansible");
    let particulars = Particulars {
        ssh_config: &ssh_config,
        sockets: &sockets,
        home: &home,
        vault_password: vault_password.as_deref(),
        result_format: secrets::result_format(exposed(run, &secrets)),
    };
    let env = environment(settings, run.project, &particulars)?;
    let mut scratch = vec![sockets, home];
    scratch.extend(private.keep());
    // Its copy of a project, if it has one.
    if run.project.root.starts_with(folder) {
        scratch.push(run.project.root.clone());
    }
    Ok(Spec {
        argv,
        env,
        cwd: run.project.dir.clone(),
        deadline_after: run.deadline,
        grace: GRACE,
        redact: redactions(run, &secrets),
        event_fd: true,
        scratch,
        output: OutputRules::default(),
    })
}

fn inventory(run: &Run<'_>) -> Result<Value, CommandError> {
    if run.hosts.is_empty() {
        return Err(CommandError::NoHosts);
    }
    let mut hosts = Map::new();
    let mut groups: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for target in &run.hosts {
        let mut variables: Map<String, Value> = target.variables.clone().into_iter().collect();
        run.reach.complete(&mut variables);
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
        for group in target.groups {
            let members = groups.entry(group).or_default();
            members.insert(target.name.to_string(), json!({}));
        }
    }
    let groups: Map<String, Value> = groups
        .into_iter()
        .map(|(group, hosts)| (group.to_owned(), json!({ "hosts": hosts })))
        .collect();
    Ok(json!({ "all": { "hosts": hosts, "children": groups } }))
}

fn host_secrets<'a>(run: &'a Run<'_>) -> Result<HostSecrets<'a>, CommandError> {
    let mut all = HostSecrets::new();
    for target in &run.hosts {
        let mut secrets = BTreeMap::new();
        if let Some(password) = run.reach.become_password(target.variables) {
            secrets.insert("ansible_become_password", password);
        }
        for (name, secret) in &target.secrets {
            secrets::check_name(name)?;
            secrets.insert(name, secret);
        }
        all.insert(target.name, secrets);
    }
    Ok(all)
}

/// What the playbook is given and must not repeat: the query of a signed address is as good as a password.
fn redactions(run: &Run<'_>, secrets: &HostSecrets<'_>) -> Vec<String> {
    let key = run.reach.private_key.as_ref();
    let key = key.map(ExposeSecret::expose_secret);
    let artifact = run.release.artifact.as_ref();
    let address = artifact.and_then(|artifact| artifact.source.secret());
    let others = key.into_iter().chain(address);
    secrets::spellings(exposed(run, secrets).chain(others))
}

/// Texts that the playbook itself knows.
fn exposed<'a>(run: &'a Run<'_>, secrets: &HostSecrets<'a>) -> impl Iterator<Item = &'a str> {
    let of_hosts: Vec<&SecretString> = secrets
        .values()
        .flat_map(BTreeMap::values)
        .copied()
        .collect();
    let secrets = of_hosts.into_iter().chain(run.reach.passwords());
    secrets.map(ExposeSecret::expose_secret)
}

fn variables(run: &Run<'_>) -> Result<Map<String, Value>, CommandError> {
    let mut variables = Map::new();
    let mut set = |name: &str, value: Value| {
        variables.insert(format!("slipway_{name}"), value);
    };
    set("attempt_id", json!(run.attempt.to_string()));
    set("rollout_id", json!(run.rollout.to_string()));
    set("batch", json!(run.batch));
    set("kind", json!(run.kind.playbook()));
    set("service", json!(run.service.as_str()));
    set("version", json!(run.release.version.as_str()));
    set("health_port", json!(run.installation.health_port));
    set("health_path", json!(run.installation.health_path));
    if matches!(run.kind, JobKind::Deploy | JobKind::DryRun)
        && let Some(artifact) = &run.release.artifact
    {
        let source = match &artifact.source {
            ArtifactSource::Url(url) => url.clone(),
            ArtifactSource::File(name) => {
                let path = run.artifacts_dir.join(name);
                if !path.is_file() {
                    return Err(CommandError::NoArtifact(path));
                }
                text(path)?
            }
        };
        set("artifact", json!(source));
        set("artifact_sha256", json!(artifact.sha256.as_str()));
    }
    refuse_templates(&variables)?;
    Ok(variables)
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
