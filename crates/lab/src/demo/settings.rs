//! The `slipway.toml` with which a console works on a lab.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use url::Url;

use crate::disk;
use crate::record::Record;

/// A planned bake of 48 h takes 20 s.
pub const TIME_SCALE: u64 = 8640;

/// Who of the identity provider's groups holds which role; members belong to a team.
const ROLES: [Role; 5] = [
    Role {
        group: "slipway-users",
        role: "viewer",
        team: None,
    },
    Role {
        group: "slipway-operators",
        role: "operator",
        team: None,
    },
    Role {
        group: "slipway-approvers",
        role: "approver",
        team: None,
    },
    Role {
        group: "slipway-admins",
        role: "admin",
        team: None,
    },
    Role {
        group: "team-payments",
        role: "member",
        team: Some(TEAM),
    },
];

/// The team that owns the demo service.
pub const TEAM: &str = "payments";

/// What differs from console to console.
pub struct Console {
    /// How browsers reach it, such as `http://127.0.0.1:8400`.
    pub address: Url,
    pub data_dir: PathBuf,
    /// The browser's files; absent where cargo-leptos says where they are.
    pub site: Option<PathBuf>,
    pub ansible_playbook: PathBuf,
    /// The folder with the playbooks; those that Slipway ships if `None`.
    pub project: Option<PathBuf>,
    /// The address of its database; a file in `data_dir` if `None`.
    pub database: Option<String>,
    /// Jobs it runs at once; as many as it does by itself if `None`.
    pub at_once: Option<u32>,
}

#[derive(Serialize)]
struct Settings<'a> {
    listen: String,
    base_url: String,
    data_dir: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    database_url: Option<&'a str>,
    artifacts_dir: &'a Path,
    #[serde(skip_serializing_if = "Option::is_none")]
    site_root: Option<PathBuf>,
    secret_key: String,
    time_scale: u64,
    oidc: Oidc<'a>,
    datadog: Datadog<'a>,
    ansible: Ansible<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jobs: Option<Jobs>,
    roles: &'a [Role],
}

#[derive(Serialize)]
struct Oidc<'a> {
    issuer: &'a str,
    client_id: &'a str,
    client_secret: &'a str,
}

#[derive(Serialize)]
struct Datadog<'a> {
    url: &'a str,
    api_key: &'a str,
    app_key: &'a str,
    interval_seconds: u64,
}

#[derive(Serialize)]
struct Ansible<'a> {
    playbook_bin: PathBuf,
    project_dir: PathBuf,
    ssh_private_key: &'a Path,
    known_hosts: &'a Path,
}

#[derive(Serialize)]
struct Jobs {
    at_once: u32,
}

#[derive(Serialize)]
struct Role {
    group: &'static str,
    role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    team: Option<&'static str>,
}

/// Writes `slipway.toml` into `dir`, readable by this user only, and returns its path.
pub fn write(dir: &Path, record: &Record, console: &Console) -> Result<PathBuf> {
    let Record {
        datadog,
        oidc,
        ssh,
        artifacts_dir,
        ..
    } = record;
    let address = &console.address;
    let settings = Settings {
        listen: format!(
            "{}:{}",
            address.host_str().unwrap_or_default(),
            address.port_or_known_default().unwrap_or_default()
        ),
        base_url: address.origin().ascii_serialization(),
        data_dir: std::path::absolute(&console.data_dir)?,
        database_url: console.database.as_deref(),
        artifacts_dir,
        site_root: console
            .site
            .as_deref()
            .map(std::path::absolute)
            .transpose()?,
        secret_key: secret_key(&dir.join("secret-key"))?,
        time_scale: TIME_SCALE,
        oidc: Oidc {
            issuer: &oidc.issuer,
            client_id: &oidc.client_id,
            client_secret: &oidc.client_secret,
        },
        datadog: Datadog {
            url: &datadog.url,
            api_key: &datadog.api_key,
            app_key: &datadog.app_key,
            interval_seconds: 1,
        },
        ansible: Ansible {
            playbook_bin: program(&console.ansible_playbook)?,
            project_dir: match &console.project {
                Some(project) => project
                    .canonicalize()
                    .with_context(|| format!("there are no playbooks at {}", project.display()))?,
                None => automation()?,
            },
            ssh_private_key: &ssh.private_key,
            known_hosts: &ssh.known_hosts,
        },
        jobs: console.at_once.map(|at_once| Jobs { at_once }),
        roles: &ROLES,
    };
    let path = dir.join("slipway.toml");
    let text =
        toml::to_string_pretty(&settings).context("slipway.toml could not be written down")?;
    disk::write(&path, text.as_bytes(), 0o600)?;
    Ok(path)
}

/// What somebody of these groups is, for a person: “member of payments”.
pub fn roles(groups: &[String]) -> String {
    let words = ROLES
        .iter()
        .filter(|role| groups.iter().any(|group| group == role.group))
        .map(|role| match role.team {
            Some(team) => format!("{} of {team}", role.role),
            None => role.role.to_owned(),
        });
    let words: Vec<String> = words.collect();
    // Everybody may look; it is worth saying only of those who may do nothing else.
    let more: Vec<&str> = words
        .iter()
        .map(String::as_str)
        .filter(|word| *word != "viewer")
        .collect();
    if more.is_empty() {
        words.join(", ")
    } else {
        more.join(", ")
    }
}

/// The playbooks that Slipway ships.
pub fn automation() -> Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../automation/ansible");
    folder
        .canonicalize()
        .with_context(|| format!("the playbooks are not at {}", folder.display()))
}

/// A bare name is looked up in `PATH`; anything else is a path.
fn program(path: &Path) -> Result<PathBuf> {
    Ok(if path.components().count() > 1 {
        std::path::absolute(path)?
    } else {
        path.to_owned()
    })
}

/// 32 random bytes in base64, drawn once, so that what a kept database holds can be read again.
fn secret_key(path: &Path) -> Result<String> {
    if !path.exists() {
        let key: [u8; 32] = std::array::from_fn(|_| rand::random());
        disk::write(path, STANDARD.encode(key).as_bytes(), 0o600)?;
    }
    disk::read(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_said_in_words() {
        let of = |groups: &[&str]| {
            roles(
                &groups
                    .iter()
                    .map(|group| (*group).to_owned())
                    .collect::<Vec<_>>(),
            )
        };
        assert_eq!(
            of(&["slipway-users", "team-payments"]),
            "member of payments"
        );
        assert_eq!(of(&["slipway-users", "slipway-operators"]), "operator");
        assert_eq!(of(&["slipway-users"]), "viewer");
    }
}
