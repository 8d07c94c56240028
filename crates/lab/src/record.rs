//! `lab.json`: all a person or a program needs to know to use a running lab.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::disk;
use crate::fleet::Criticality;

/// What `slipway-lab up` writes once everything runs; holds secrets, so its mode is 0600.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    pub datadog: DatadogKeys,
    pub oidc: Oidc,
    pub hosts: Vec<HostRecord>,
    pub ssh: Ssh,
    pub artifacts_dir: PathBuf,
    pub artifacts: Artifacts,
    pub service: Service,
}

/// Where the Datadog-compatible endpoint listens, and the keys it accepts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DatadogKeys {
    pub url: String,
    pub api_key: String,
    pub app_key: String,
}

/// The identity provider, Slipway's registration with it, and the people it knows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Oidc {
    pub issuer: String,
    pub client_id: String,
    pub client_secret: String,
    pub people: Vec<Person>,
}

/// Somebody who can sign in; `groups` is the claim of that name.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Person {
    pub login: String,
    pub password: String,
    pub name: String,
    pub email: String,
    pub groups: Vec<String>,
}

/// A host as an inventory needs it. `vars` are Ansible host variables.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HostRecord {
    pub name: String,
    pub environment: String,
    pub address: Ipv4Addr,
    pub port: u16,
    pub user: String,
    pub criticality: Criticality,
    pub failure_domain: String,
    pub vars: BTreeMap<String, String>,
}

/// The key that opens every host, and the hosts' own keys.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ssh {
    pub private_key: PathBuf,
    pub known_hosts: PathBuf,
}

/// The releases of the demo service: what runs at first, a good next one, a bad next one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Artifacts {
    pub baseline: Artifact,
    pub good: Artifact,
    pub bad: Artifact,
}

/// One release as a `.tar.gz`; `sha256` in hex.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Artifact {
    pub version: String,
    pub file: PathBuf,
    pub sha256: String,
}

/// The demo service. The hosts share one file system, so on each of them `install_root` lies below a folder of its own: the
/// host variable `slipway_root`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Service {
    pub slug: String,
    pub install_root: String,
    pub health_port: u16,
}

impl Record {
    /// The file's place in a lab's folder.
    pub fn path(dir: &Path) -> PathBuf {
        dir.join("lab.json")
    }

    /// Reads the record of the lab in `dir`; the lab may have ended since.
    pub fn read(dir: &Path) -> Result<Self> {
        let path = Self::path(dir);
        let text = disk::read(&path).with_context(|| {
            format!(
                "there is no lab in {}: start one with `slipway-lab up --dir {0}`",
                dir.display()
            )
        })?;
        serde_json::from_str(&text).with_context(|| {
            format!(
                "{} is not a lab's record: start the lab again",
                path.display()
            )
        })
    }

    pub(crate) fn write(&self, dir: &Path) -> Result<()> {
        disk::write(&Self::path(dir), &serde_json::to_vec_pretty(self)?, 0o600)
    }
}
