//! The environment of `ansible-playbook`, and the variables that no project may change.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

use domain::id::AttemptId;
use serde_json::{Value, json};

use super::{Settings, base_env, command::CommandError, project::Project, reach::for_ssh};
use crate::{file, supervisor::RecordError};

/// A socket's path has 107 bytes; ssh appends a slash, ten digits, a dot and sixteen letters.
const LONGEST_SOCKET_FOLDER: usize = 107 - 1 - 10 - 17;
const SSH_ARGS: &str = "-o ControlMaster=auto -o ControlPersist=60s";
/// Ansible's own places for collections.
const COLLECTIONS: &str = "~/.ansible/collections:/usr/share/ansible/collections";

/// What differs from run to run.
pub(super) struct Particulars<'a> {
    pub ssh_config: &'a Path,
    pub sockets: &'a Path,
    pub home: &'a Path,
    pub vault_password: Option<&'a Path>,
    pub result_format: &'static str,
}

/// Variables of the environment win over an `ansible.cfg`, whoever wrote it.
pub(super) fn environment(
    settings: &Settings,
    project: &Project,
    run: &Particulars<'_>,
) -> Result<BTreeMap<String, String>, CommandError> {
    let mut env = base_env();
    let mut set = |name: &str, value: String| {
        env.insert(format!("ANSIBLE_{name}"), value);
    };
    let ours = &settings.project_dir;
    let own = project.dir.join("ansible.cfg");
    let config = if project.allow_config && own.is_file() {
        own
    } else {
        ours.join("ansible.cfg")
    };
    set("CONFIG", text(config)?);
    let mut roles = in_path(project.dir.join("roles"))?;
    if project.dir != *ours {
        roles = format!("{roles}:{}", in_path(ours.join("roles"))?);
    }
    set("ROLES_PATH", roles);
    let collections = in_path(project.dir.join("collections"))?;
    set("COLLECTIONS_PATH", format!("{collections}:{COLLECTIONS}"));
    set("CALLBACK_PLUGINS", in_path(ours.join("plugins/callback"))?);
    set("FORKS", settings.forks.max(1).to_string());
    set("HOME", text(run.home.to_owned())?);
    set("LOCAL_TEMP", text(run.home.join("tmp"))?);
    set("SSH_CONTROL_PATH_DIR", text(run.sockets.to_owned())?);
    set("SSH_COMMON_ARGS", common_args(run.ssh_config)?);
    if let Some(path) = run.vault_password {
        set("VAULT_PASSWORD_FILE", text(path.to_owned())?);
    }
    for (name, value) in [
        // What is reported, and how: the log is read by people and by Slipway.
        ("CALLBACKS_ENABLED", "slipway_events"),
        ("STDOUT_CALLBACK", "default"),
        ("CALLBACK_RESULT_FORMAT", run.result_format),
        ("FORCE_COLOR", "1"),
        ("NOCOLOR", ""),
        ("NOCOWS", "1"),
        ("VERBOSITY", "0"),
        ("DISPLAY_ARGS_TO_STDOUT", "False"),
        // Which hosts there are.
        ("INVENTORY_ENABLED", "yaml"),
        ("INVENTORY_UNPARSED_FAILED", "True"),
        ("INVENTORY_ANY_UNPARSED_IS_FAILED", "True"),
        ("TRANSFORM_INVALID_GROUP_CHARS", "ignore"),
        // How they are reached.
        ("TRANSPORT", "ssh"),
        ("HOST_KEY_CHECKING", "True"),
        ("SSH_HOST_KEY_CHECKING", "True"),
        ("SSH_ARGS", SSH_ARGS),
        ("SSH_EXTRA_ARGS", ""),
        ("SFTP_EXTRA_ARGS", ""),
        ("SCP_EXTRA_ARGS", ""),
        ("SSH_EXECUTABLE", "ssh"),
        ("SFTP_EXECUTABLE", "sftp"),
        ("SCP_EXECUTABLE", "scp"),
        ("SSH_CONTROL_PATH", ""),
        ("PIPELINING", "True"),
        ("ASK_PASS", "False"),
        ("ASK_VAULT_PASS", "False"),
        ("BECOME_ASK_PASS", "False"),
        ("ENABLE_TASK_DEBUGGER", "False"),
        // Where what it knows could stay.
        ("LOG_PATH", "/dev/null"),
        ("CACHE_PLUGIN", "memory"),
        ("RETRY_FILES_ENABLED", "False"),
        ("KEEP_REMOTE_FILES", "False"),
        ("REMOTE_TEMP", "~/.ansible/tmp"),
        ("SHELL_ALLOW_WORLD_READABLE_TEMP", "False"),
    ] {
        set(name, value.to_owned());
    }
    Ok(env)
}

/// Variables of a project would win over the environment, but not over these, which are given as extra variables.
pub(super) fn held_fast(ssh_config: &Path) -> Result<[(&'static str, Value); 10], CommandError> {
    Ok([
        ("ansible_ssh_args", json!(SSH_ARGS)),
        ("ansible_ssh_common_args", json!(common_args(ssh_config)?)),
        ("ansible_ssh_extra_args", json!("")),
        ("ansible_sftp_extra_args", json!("")),
        ("ansible_scp_extra_args", json!("")),
        ("ansible_ssh_executable", json!("ssh")),
        ("ansible_sftp_executable", json!("sftp")),
        ("ansible_scp_executable", json!("scp")),
        ("ansible_host_key_checking", json!(true)),
        ("ansible_ssh_host_key_checking", json!(true)),
    ])
}

fn common_args(ssh_config: &Path) -> Result<String, CommandError> {
    Ok(format!("-F '{}'", for_ssh(ssh_config)?))
}

pub(super) fn text(path: PathBuf) -> Result<String, CommandError> {
    path.into_os_string()
        .into_string()
        .map_err(|path| CommandError::Path(path.into()))
}

/// A folder in a list that colons divide.
fn in_path(folder: PathBuf) -> Result<String, CommandError> {
    text(folder).and_then(|text| {
        if text.contains(':') {
            Err(CommandError::Path(text.into()))
        } else {
            Ok(text)
        }
    })
}

/// A private folder for ssh's sockets: in the attempt's folder if that path is short enough, or else in the system's
/// temporary one.
pub(super) fn socket_folder(folder: &Path, attempt: AttemptId) -> Result<PathBuf, CommandError> {
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
