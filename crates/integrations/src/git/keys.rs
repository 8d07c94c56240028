//! What a repository is fetched with: keys and tokens in files of their own.

use secrecy::{ExposeSecret, SecretString};
use tokio::process::Command;

use super::{Access, GitError, Source};
use crate::{file, process};

/// Keys in files, for as long as they are used.
pub(super) struct Keys {
    settings: Vec<String>,
    ssh: String,
    _folder: tempfile::TempDir,
}

impl Keys {
    pub fn of(source: &Source) -> Result<Self, GitError> {
        let at = std::env::temp_dir();
        let folder = process::scratch().map_err(|why| GitError::Disk { path: at, why })?;
        let store = |name: &str, text: &str| {
            let path = folder.path().join(name);
            match file::put(&path, text.as_bytes()) {
                Ok(()) => Ok(path),
                Err(why) => Err(GitError::Disk { path, why }),
            }
        };
        let mut settings = vec!["credential.helper=".to_owned()];
        let mut ssh = String::from(
            "Host *\n    BatchMode yes\n    StrictHostKeyChecking yes\n    UpdateHostKeys no\n    GlobalKnownHostsFile /dev/null\n    ConnectTimeout 20\n    ServerAliveInterval 15\n    ServerAliveCountMax 3\n    ForwardAgent no\n    PermitLocalCommand no\n    IdentitiesOnly yes\n",
        );
        let mut known = String::new();
        match &source.access {
            Access::Public => {}
            Access::Ssh {
                private_key,
                known_hosts,
            } => {
                let key = private_key.expose_secret().replace("\r\n", "\n");
                let key = key.trim();
                if !(key.starts_with("-----BEGIN ") && key.ends_with("-----")) {
                    return Err(GitError::Key(source.url.clone()));
                }
                let path = store("key", &format!("{key}\n"))?;
                ssh.push_str(&format!("    IdentityFile \"{}\"\n", path.display()));
                known = format!("{}\n", known_hosts.replace("\r\n", "\n"));
            }
            Access::Token(token) => {
                if let Some(url) = source.url.of_https() {
                    let path = store("credentials", &credentials(&url, token))?;
                    settings.push(format!(
                        "credential.helper=store --file='{}'",
                        path.display()
                    ));
                }
            }
        }
        let known = store("known_hosts", &known)?;
        ssh.push_str(&format!("    UserKnownHostsFile \"{}\"\n", known.display()));
        let config = store("ssh_config", &ssh)?;
        Ok(Self {
            settings,
            ssh: format!("ssh -F '{}'", config.display()),
            _folder: folder,
        })
    }

    pub fn give(&self, command: &mut Command) {
        for setting in &self.settings {
            command.args(["-c", setting]);
        }
        command
            .env("GIT_SSH_COMMAND", &self.ssh)
            .env("GIT_SSH_VARIANT", "ssh");
    }
}

/// A line of git's own credential store, which gives it to that host only.
fn credentials(url: &url::Url, token: &SecretString) -> String {
    let mut quoted = String::new();
    for byte in token.expose_secret().trim().bytes() {
        if byte.is_ascii_alphanumeric() {
            quoted.push(char::from(byte));
        } else {
            quoted.push_str(&format!("%{byte:02X}"));
        }
    }
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}"));
    // Hosts look at the token; of the name they only want that there is one.
    format!(
        "https://x-access-token:{quoted}@{host}{}\n",
        port.unwrap_or_default()
    )
}
