//! How the hosts of an environment are reached: as whom, through which hosts, and whose keys are believed.

use std::{
    fmt::Write as _,
    num::NonZeroU16,
    path::{Path, PathBuf},
};

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::{
    Settings,
    command::CommandError,
    names::{Address, BecomeMethod, UserName},
    secrets::Private,
};
use crate::{file, supervisor::RecordError};

/// The default signs in as ssh would by itself, directly, with the key of the settings, to known hosts only.
#[derive(Debug, Clone, Default)]
pub struct Reach {
    /// Where the inventory gives a host no `ansible_user`.
    pub user: Option<UserName>,
    /// Where the inventory gives a host no `ansible_port`.
    pub port: Option<NonZeroU16>,
    /// In the order they are gone through. Key, certificate and known hosts are the same for them.
    pub jump: Vec<Jump>,
    pub host_keys: HostKeys,
    /// Content of a `known_hosts` file; replaces the one of the settings.
    pub known_hosts: Option<String>,
    /// Without a passphrase; replaces the one of the settings.
    pub private_key: Option<SecretString>,
    /// An OpenSSH certificate for the private key, the line of a `-cert.pub` file.
    pub certificate: Option<String>,
    /// Where the inventory does not say `ansible_become`.
    pub become_: Option<Become>,
    /// Opens what a project keeps encrypted with Ansible Vault.
    pub vault_password: Option<SecretString>,
}

/// A host that forwards to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jump {
    /// `None` is the user of the environment, or else ssh's choice.
    pub user: Option<UserName>,
    pub host: Address,
    /// `None` is 22.
    pub port: Option<NonZeroU16>,
}

/// What becomes of a host whose key is not known. One whose key has changed is refused in any case.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum HostKeys {
    #[default]
    Strict,
    /// It is believed, and its key is kept in this file, which outlives the run and belongs to one environment.
    AcceptNew { kept_in: PathBuf },
}

/// Becoming another user on the host.
#[derive(Debug, Clone)]
pub struct Become {
    pub method: BecomeMethod,
    pub user: UserName,
    pub password: Option<SecretString>,
}

impl Reach {
    /// What the environment says of a host that does not say so itself.
    pub(super) fn complete(&self, variables: &mut Map<String, Value>) {
        let mut set = |name: &str, value: Value| {
            variables.entry(name).or_insert(value);
        };
        if let Some(user) = &self.user {
            set("ansible_user", json!(user.as_str()));
        }
        if !by_ssh(variables) {
            return;
        }
        let mut set = |name: &str, value: Value| {
            variables.entry(name).or_insert(value);
        };
        if let Some(port) = self.port {
            set("ansible_port", json!(port.get()));
        }
        if let Some(wanted) = &self.become_ {
            set("ansible_become", json!(true));
            set("ansible_become_method", json!(wanted.method.as_str()));
            set("ansible_become_user", json!(wanted.user.as_str()));
        }
    }

    /// The password for becoming another user on a host of these variables.
    pub(super) fn become_password(
        &self,
        variables: &std::collections::BTreeMap<String, Value>,
    ) -> Option<&SecretString> {
        let variables: Map<String, Value> = variables.clone().into_iter().collect();
        self.become_
            .as_ref()
            .filter(|_| by_ssh(&variables))?
            .password
            .as_ref()
    }

    pub(super) fn passwords(&self) -> impl Iterator<Item = &SecretString> {
        let become_password = self.become_.as_ref();
        let become_password = become_password.and_then(|wanted| wanted.password.as_ref());
        become_password.into_iter().chain(&self.vault_password)
    }

    /// Writes `ssh_config` into the attempt's folder, and what it names beside the other secrets. Jump hosts read the
    /// same file: what is given on ssh's command line would not reach them.
    pub(super) fn ssh_config(
        &self,
        settings: &Settings,
        folder: &Path,
        private: &mut Private,
    ) -> Result<PathBuf, CommandError> {
        let known_hosts = match &self.known_hosts {
            Some(text) => Some(private.store("known_hosts", with_newline(text).as_bytes())?),
            None => settings.known_hosts.clone(),
        };
        let key = match &self.private_key {
            Some(key) => Some(self.private_key(key, private)?),
            None => settings.ssh_private_key.clone(),
        };
        let mut config = String::from("# How Slipway reaches the hosts of this attempt.\n");
        let mut line = |text: String| {
            let _ = writeln!(config, "{text}");
        };
        let mut through = "none".to_owned();
        for (number, jump) in self.jump.iter().enumerate() {
            // A name of its own: the same machine may also be a host of the environment.
            let alias = format!("slipway-jump-{}", number + 1);
            line(format!("Host {alias}"));
            line(format!("    HostName {}", jump.host));
            line(format!(
                "    Port {}",
                jump.port.map_or(22, NonZeroU16::get)
            ));
            if let Some(user) = &jump.user {
                line(format!("    User {user}"));
            }
            line(format!("    ProxyJump {through}"));
            through = alias;
        }
        line("Host *".to_owned());
        line(format!("    ProxyJump {through}"));
        if let Some(user) = &self.user {
            line(format!("    User {user}"));
        }
        let mut files = Vec::new();
        match &self.host_keys {
            HostKeys::Strict => line("    StrictHostKeyChecking yes".to_owned()),
            HostKeys::AcceptNew { kept_in } => {
                if let Some(parent) = kept_in.parent() {
                    file::private_folder(parent)
                        .map_err(|error| RecordError::write(parent, error))?;
                }
                line("    StrictHostKeyChecking accept-new".to_owned());
                line("    HashKnownHosts no".to_owned());
                // ssh adds to the first of them.
                files.push(kept_in.clone());
            }
        }
        files.extend(known_hosts);
        if !files.is_empty() {
            let quoted: Result<Vec<_>, _> = files.iter().map(|path| quoted(path)).collect();
            line(format!("    UserKnownHostsFile {}", quoted?.join(" ")));
        }
        if self.known_hosts.is_some() || self.host_keys != HostKeys::Strict {
            line("    GlobalKnownHostsFile /dev/null".to_owned());
        }
        if let Some(key) = &key {
            line(format!("    IdentityFile {}", quoted(key)?));
            line("    IdentitiesOnly yes".to_owned());
        }
        if let Some(certificate) = &self.certificate {
            let path = private.store(
                "ssh_key-cert.pub",
                checked_certificate(certificate)?.as_bytes(),
            )?;
            line(format!("    CertificateFile {}", quoted(&path)?));
        }
        // A prompt nobody can answer becomes an error; a dead host is noticed in 45 s.
        for setting in [
            "BatchMode yes",
            "ConnectTimeout 10",
            "ServerAliveInterval 15",
            "ServerAliveCountMax 3",
            "UpdateHostKeys no",
            "ForwardAgent no",
            "PermitLocalCommand no",
        ] {
            line(format!("    {setting}"));
        }
        let path = folder.join("ssh_config");
        file::put(&path, config.as_bytes()).map_err(|error| RecordError::write(&path, error))?;
        Ok(path)
    }

    fn private_key(
        &self,
        key: &SecretString,
        private: &mut Private,
    ) -> Result<PathBuf, CommandError> {
        let text = key.expose_secret().replace("\r\n", "\n");
        let text = text.trim();
        if text.starts_with("-----BEGIN ") && text.ends_with("-----") {
            private.store("ssh_key", with_newline(text).as_bytes())
        } else {
            Err(CommandError::PrivateKey)
        }
    }
}

/// Whether Ansible reaches a host of these variables by ssh.
fn by_ssh(variables: &Map<String, Value>) -> bool {
    variables
        .get("ansible_connection")
        .and_then(Value::as_str)
        .is_none_or(|connection| connection == "ssh")
}

/// One line: kind, content in base64, and whatever comment.
fn checked_certificate(text: &str) -> Result<String, CommandError> {
    let line = text.trim();
    let mut words = line.split_ascii_whitespace();
    let kind = words.next().unwrap_or_default();
    let content = words.next().unwrap_or_default();
    let good = kind.ends_with("-cert-v01@openssh.com")
        && content.len() > 100
        && !line.contains(['\n', '\r']);
    if good {
        Ok(with_newline(line))
    } else {
        Err(CommandError::Certificate)
    }
}

/// ssh takes no key without a newline at its end.
fn with_newline(text: &str) -> String {
    let mut text = text.replace("\r\n", "\n");
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

fn quoted(path: &Path) -> Result<String, CommandError> {
    for_ssh(path).map(|text| format!("\"{text}\""))
}

/// A path that means the same in Ansible's and ssh's own reading of it.
pub(super) fn for_ssh(path: &Path) -> Result<&str, CommandError> {
    path.to_str()
        .filter(|text| {
            text.chars()
                .all(|c| c.is_alphanumeric() || "/ ._-+@,=:".contains(c))
        })
        .ok_or_else(|| CommandError::Path(path.to_owned()))
}
