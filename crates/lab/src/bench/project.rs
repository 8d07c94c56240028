//! The playbooks of the bench, in a folder as Slipway expects it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::demo::settings;
use crate::demo::stage::clear;
use crate::disk;

/// Tasks of the deploy on each host.
pub const TASKS: usize = 10;

const PLAYBOOKS: [(&str, &str); 3] = [
    ("deploy.yml", include_str!("project/deploy.yml")),
    ("probe.yml", include_str!("project/probe.yml")),
    ("rollback.yml", include_str!("project/rollback.yml")),
];
/// What is taken from the playbooks that Slipway ships.
const SHIPPED: [&str; 2] = ["ansible.cfg", "plugins/callback/slipway_events.py"];

/// Writes the project into `folder`, anew, and returns the folder.
pub fn write(folder: PathBuf) -> Result<PathBuf> {
    clear(&folder)?;
    for (name, text) in PLAYBOOKS {
        disk::write(&folder.join("playbooks").join(name), text.as_bytes(), 0o644)?;
    }
    let shipped = settings::automation()?;
    for name in SHIPPED {
        let text = disk::read(&shipped.join(name))?;
        disk::write(&folder.join(name), text.as_bytes(), 0o644)?;
    }
    // Parts of every project, if empty ones.
    make(&folder.join("roles"))?;
    make(&folder.join("datadog"))?;
    Ok(folder)
}

fn make(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("{} could not be made", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deploy_has_the_tasks_it_is_measured_by() {
        let (_, deploy) = PLAYBOOKS[0];
        assert_eq!(deploy.matches("\n    - name: ").count(), TASKS);
    }

    #[test]
    fn a_project_is_written_over_an_older_one() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("project");
        fs::create_dir_all(folder.join("playbooks")).unwrap();
        fs::write(folder.join("playbooks/old.yml"), "").unwrap();
        let folder = write(folder).unwrap();
        assert!(!folder.join("playbooks/old.yml").exists());
        for name in ["playbooks/deploy.yml", "ansible.cfg", "roles"] {
            assert!(folder.join(name).exists(), "{name}");
        }
    }
}
