//! Inventories of a project: files, folders, plugins' configurations, and scripts, which are run.

use std::{collections::BTreeMap, ffi::OsStr, path::Path, time::Duration};

use secrecy::{ExposeSecret, SecretString};

use super::{InventoryError, InventoryHost, hosts_of, reason};
use crate::supervisor::masked;
use crate::{
    ansible::{
        ANSWER_TIME, MEMORY_OF_SCRIPTS, Settings, ToolError, ask,
        names::{inside, plain},
    },
    file, process,
};

/// An inventory that is asked anew each time.
#[derive(Debug, Clone)]
pub struct Dynamic<'a> {
    /// The folder of the project.
    pub dir: &'a Path,
    /// Of a file or a folder in it.
    pub path: &'a str,
    /// What it needs to sign in somewhere. Inventory plugins and scripts read it in their environment only; other users
    /// of this machine cannot.
    pub env: &'a BTreeMap<String, SecretString>,
    /// It is ended after this long.
    pub within: Duration,
}

impl<'a> Dynamic<'a> {
    pub fn new(dir: &'a Path, path: &'a str, env: &'a BTreeMap<String, SecretString>) -> Self {
        Self {
            dir,
            path,
            env,
            within: ANSWER_TIME,
        }
    }
}

/// Asks an inventory of a project which hosts there are. What may be said of hosts is the same as in a pasted one, and
/// so is what becomes of an answer that is not understood: nothing of it is taken.
pub async fn from_project(
    settings: &Settings,
    inventory: &Dynamic<'_>,
) -> Result<Vec<InventoryHost>, InventoryError> {
    let path = inventory.path.trim_end_matches('/');
    if !plain(path, 200, "-_./") || !inside(path) {
        let shown = path.chars().filter(|c| !c.is_control()).take(60).collect();
        return Err(InventoryError::Path(shown));
    }
    let source = inventory.dir.join(path);
    if !source.exists() {
        return Err(InventoryError::NoSource(path.to_owned()));
    }
    if let Some(name) = inventory.env.keys().find(|name| !for_an_inventory(name)) {
        let shown = name.chars().filter(|c| !c.is_control()).take(60).collect();
        return Err(InventoryError::Environment(shown));
    }
    let home = process::scratch()?;
    let config = home.path().join("ansible.cfg");
    file::put(
        &config,
        b"[inventory]\nenable_plugins = script,auto,yaml,ini\nany_unparsed_is_failed = True\n",
    )?;
    let mut collections = inventory.dir.join("collections").into_os_string();
    collections.push(":/usr/share/ansible/collections");
    let mut env: Vec<(&str, &OsStr)> = vec![
        ("ANSIBLE_CONFIG", config.as_ref()),
        ("ANSIBLE_HOME", home.path().as_ref()),
        ("ANSIBLE_LOCAL_TEMP", home.path().as_ref()),
        ("ANSIBLE_COLLECTIONS_PATH", collections.as_ref()),
        ("HOME", home.path().as_ref()),
    ];
    env.extend(
        inventory
            .env
            .iter()
            .map(|(name, value)| (name.as_str(), OsStr::new(value.expose_secret()))),
    );
    let program = settings.playbook_bin.with_file_name("ansible-inventory");
    let args = ["--list", "--inventory", path];
    let bounds = (inventory.within, MEMORY_OF_SCRIPTS);
    let asked = ask(&program, &args, &env, inventory.dir, bounds).await;
    let answer = asked.map_err(|error| match error {
        ToolError::Slow { seconds, .. } => InventoryError::Hangs {
            path: path.to_owned(),
            seconds,
        },
        error => error.into(),
    })?;
    if answer.ok {
        return hosts_of(&program, &answer.stdout);
    }
    // Before anything of it is cut off. A script may say more than it was given.
    let given = inventory.env.values().map(ExposeSecret::expose_secret);
    let mut said = masked(given, &answer.stderr);
    if let Some(folder) = inventory.dir.to_str() {
        said = said.replace(&format!("{folder}/"), "");
    }
    let why = complaint(&source, &said);
    Err(InventoryError::Failed {
        path: path.to_owned(),
        why,
    })
}

/// The names of variables that no program of ours, of Python or of the system takes for itself.
fn for_an_inventory(name: &str) -> bool {
    const TAKEN: [&str; 6] = ["PATH", "HOME", "IFS", "ENV", "LANG", "SHELL"];
    const TAKEN_BEGINNINGS: [&str; 7] = [
        "ANSIBLE_", "PYTHON", "LD_", "BASH_", "SLIPWAY_", "GIT_", "LC_",
    ];
    plain(name, 100, "_")
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && !TAKEN.contains(&name)
        && !TAKEN_BEGINNINGS.iter().any(|taken| name.starts_with(taken))
}

/// What the part of Ansible complained about that was meant to read this, and what a script said itself.
fn complaint(source: &Path, stderr: &str) -> String {
    use std::os::unix::fs::PermissionsExt;

    let runs = source
        .metadata()
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0);
    let extension = source.extension().and_then(OsStr::to_str);
    let configures = stderr.contains("Plugin configuration YAML file");
    let plugin = match extension {
        _ if runs => "script",
        Some("yml" | "yaml") if configures => "auto",
        Some("yml" | "yaml" | "json") => "yaml",
        _ => "ini",
    };
    let mut why = reason(plugin, stderr);
    if !runs && file::begins_with(source, b"#!") {
        why = "It begins with “#!”, as a script does, but is not executable. Set its mode in Git (`git update-index --chmod=+x`), and fetch the project again.".to_owned();
    }
    if why.starts_with("Unexpected AnsibleError") {
        why = "Ansible did not say why. Run it by hand, and see that it ends, and prints one list of hosts that fits into memory.".to_owned();
    }
    let own = stderr.split_once("Standard error from inventory script:\n");
    if let Some((_, own)) = own {
        let own: Vec<&str> = own
            .lines()
            .map(str::trim)
            .take_while(|line| !line.is_empty())
            .collect();
        let own: String = own
            .join(" ")
            .chars()
            .filter(|c| !c.is_control())
            .take(400)
            .collect();
        why = format!("{why} It said: {own}");
    }
    why
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_without_end_is_told_what_to_look_at() {
        let stderr = "[WARNING]: Failed to parse inventory with 'script' plugin: Unexpected AnsibleError error.\n\n[ERROR]: Completely failed\n";
        let script = tempfile::NamedTempFile::new().unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        script.as_file().set_permissions(mode).unwrap();
        let why = complaint(script.path(), stderr);
        assert!(why.contains("see that it ends"), "{why}");
    }

    #[test]
    fn a_script_that_is_not_executable_is_told_so() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "#!/bin/sh\necho {}\n").unwrap();
        let why = complaint(file.path(), "");
        assert!(why.contains("not executable"), "{why}");
    }

    #[test]
    fn nothing_that_changes_ansible_is_given_to_an_inventory() {
        for good in ["AWS_ACCESS_KEY_ID", "VMWARE_PASSWORD", "token"] {
            assert!(for_an_inventory(good), "{good}");
        }
        for bad in [
            "",
            "PATH",
            "LD_PRELOAD",
            "PYTHONPATH",
            "ANSIBLE_INVENTORY_PLUGINS",
            "A=B",
            "A B",
            "1A",
        ] {
            assert!(!for_an_inventory(bad), "{bad}");
        }
    }
}
