//! A service: what a team brings in.

use serde::{Deserialize, Serialize};

use crate::{
    id::{ServiceId, TeamId},
    project::Playbooks,
    text::{FieldError, GroupName, Name, Slug, shown},
};

/// How a service is installed on its hosts and asked for its health.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installation {
    /// Inventory group of the hosts it runs on; `all` for every host of the environment.
    pub host_group: GroupName,
    /// Absolute folder on the host that holds `releases/` and `current`.
    pub install_root: String,
    pub health_port: u16,
    /// Path of the health endpoint, with its leading slash.
    pub health_path: String,
}

/// The metric queries a batch is judged by, each grouped `by {host}`; `{env}` stands for the environment's slug.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Telemetry {
    /// Requests per interval.
    pub requests: String,
    /// Failed requests per interval.
    pub errors: String,
    /// Latency in milliseconds.
    pub latency: String,
    /// Anything each living host reports.
    pub liveness: String,
}

/// What a team brings in and rolls out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    pub id: ServiceId,
    pub team: TeamId,
    pub slug: Slug,
    pub name: Name,
    pub description: String,
    pub repository: String,
    pub installation: Installation,
    pub telemetry: Telemetry,
    pub playbooks: Playbooks,
}

impl Installation {
    /// Checks folder and health endpoint; `Err` names the field.
    pub fn check(self) -> Result<Self, FieldError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_');
        let root = &self.install_root;
        if root.len() > 200 || !is_install_root(root) {
            return Err(FieldError::new(
                "install_root",
                format!(
                    "“{}” cannot be the folder of a service. Give an absolute path at least two folders deep, of letters, digits and “._@+=-”, such as “/opt/checkout”.",
                    shown(root)
                ),
            ));
        }
        if self.health_port == 0 {
            return Err(FieldError::new(
                "health_port",
                "Give the port of the health endpoint, 1 to 65535.",
            ));
        }
        let path = &self.health_path;
        if !path.starts_with('/') || path.len() > 200 || !path.chars().all(plain) {
            return Err(FieldError::new(
                "health_path",
                format!(
                    "“{}” is not the path of a health endpoint. Start with a slash, such as “/health”.",
                    shown(path)
                ),
            ));
        }
        Ok(self)
    }
}

/// The rule of the role `release`, `slipway_root_rule`: no release is ever unpacked into `/` or `/etc`.
fn is_install_root(path: &str) -> bool {
    let mut folders = path.split('/');
    let plain = |c: char| c.is_ascii_alphanumeric() || "._@+=-".contains(c);
    folders.next() == Some("")
        && folders.clone().count() >= 2
        && folders.all(|folder| !matches!(folder, "" | "." | "..") && folder.chars().all(plain))
}

impl Telemetry {
    /// Checks that each query is present, one line and of sensible length; `Err` names the field.
    pub fn check(self) -> Result<Self, FieldError> {
        for (field, query) in [
            ("requests", &self.requests),
            ("errors", &self.errors),
            ("latency", &self.latency),
            ("liveness", &self.liveness),
        ] {
            if query.trim().is_empty() || query.len() > 1000 || query.chars().any(char::is_control)
            {
                return Err(FieldError::new(
                    field,
                    format!(
                        "Give the {field} query as Datadog writes it, in one line of at most 1,000 characters."
                    ),
                ));
            }
            if !query.contains("by {host}") {
                return Err(FieldError::new(
                    field,
                    format!(
                        "The {field} query must tell hosts apart: end it with “by {{host}}”, or one batch could not be told from another."
                    ),
                ));
            }
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_two_deep_as_the_role_wants_it() {
        for good in ["/opt/checkout", "/srv/a/b.c", "/opt/_x@1+2=3-4"] {
            assert!(is_install_root(good), "{good}");
        }
        for bad in [
            "",
            "/",
            "/etc",
            "/opt/",
            "//opt",
            "/opt//x",
            "/opt/x/",
            "opt/x",
            "/opt/..",
            "/opt/./x",
            "/opt/../etc",
            "/opt/a b",
            "/opt/ä",
            "/opt/x\n",
        ] {
            assert!(!is_install_root(bad), "{bad:?}");
        }
    }
}
