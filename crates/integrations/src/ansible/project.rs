//! The playbooks of a run: those that came with Slipway, or those of another folder, such as one checked out of Git.

use std::{
    io,
    path::{Path, PathBuf},
};

use domain::job::JobKind;

use super::{Settings, check::CheckError, names::PlaybookName};
use crate::file;

/// A folder with playbooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Absolute. Roles are in `roles/`, collections in `collections/`.
    pub dir: PathBuf,
    /// What links in `dir` lead into: `dir` itself, or a folder above it.
    pub root: PathBuf,
    pub playbooks: Playbooks,
    /// Read the `ansible.cfg` in `dir`, if there is one, instead of Slipway's. What concerns host keys, connections,
    /// inventories, reports and logs stays as Slipway wants it.
    pub allow_config: bool,
}

/// Which playbook does what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Playbooks {
    pub deploy: PlaybookName,
    pub probe: PlaybookName,
    pub roll_back: PlaybookName,
}

impl Project {
    /// The playbooks that came with Slipway.
    pub fn shipped(settings: &Settings) -> Self {
        let name = PlaybookName::shipped;
        Self {
            dir: settings.project_dir.clone(),
            root: settings.project_dir.clone(),
            playbooks: Playbooks {
                deploy: name("playbooks/deploy.yml"),
                probe: name("playbooks/probe.yml"),
                roll_back: name("playbooks/rollback.yml"),
            },
            allow_config: false,
        }
    }

    /// Those of them that bring the Datadog agent.
    pub fn shipped_for_datadog(settings: &Settings) -> Self {
        let name = PlaybookName::shipped;
        Self {
            playbooks: Playbooks {
                deploy: name("datadog/deploy.yml"),
                probe: name("datadog/probe.yml"),
                roll_back: name("datadog/rollback.yml"),
            },
            ..Self::shipped(settings)
        }
    }

    /// The same project, copied into the folder `to` (mode 0700, made if need be), where playbooks and scripts may write
    /// beside it without changing what others run.
    pub fn copied(&self, to: &Path) -> io::Result<Self> {
        file::copy_tree(&self.root, to)?;
        let within = self.dir.strip_prefix(&self.root);
        Ok(Self {
            dir: to.join(within.map_err(io::Error::other)?),
            root: to.to_owned(),
            ..self.clone()
        })
    }

    /// The playbook for jobs of this kind, which is there.
    pub fn playbook(&self, kind: JobKind) -> Result<&PlaybookName, CheckError> {
        let name = match kind {
            JobKind::Deploy | JobKind::DryRun => &self.playbooks.deploy,
            JobKind::Probe | JobKind::ProbeUnknown => &self.playbooks.probe,
            JobKind::RollBack => &self.playbooks.roll_back,
        };
        let path = self.dir.join(name.as_str());
        if path.is_file() {
            Ok(name)
        } else {
            Err(CheckError::NoPlaybook(path))
        }
    }
}
