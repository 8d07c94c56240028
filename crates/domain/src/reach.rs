//! How the hosts of an environment are reached. Keys and passwords are kept apart from it, as ciphertext.

use serde::{Deserialize, Serialize};

/// What becomes of a host whose key is not known. One whose key has changed is refused in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostKeyPolicy {
    #[default]
    Strict,
    /// It is believed once, and then kept.
    AcceptNew,
}

crate::words::words!(HostKeyPolicy "host_keys": Strict = "strict", AcceptNew = "accept_new");

/// How hosts are reached; empty texts leave it to the settings of the installation. Checked by whoever connects.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Reach {
    pub user: String,
    pub port: String,
    /// `user@host:port`, in the order they are gone through.
    pub jump: Vec<String>,
    pub host_keys: HostKeyPolicy,
    /// Content of a `known_hosts` file.
    pub known_hosts: String,
    /// An OpenSSH certificate for the private key.
    pub certificate: String,
    /// Such as `sudo`; empty stays whoever signed in.
    pub become_method: String,
    pub become_user: String,
}

/// What of a reach is secret; `None` where there is none.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ReachSecrets {
    pub private_key: Option<String>,
    pub become_password: Option<String>,
    pub vault_password: Option<String>,
}

impl std::fmt::Debug for ReachSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ReachSecrets(…)")
    }
}
