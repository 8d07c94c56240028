//! From the inventory a person pasted to hosts, by Ansible's own reading of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
};

use domain::text::HostName;
use serde::Deserialize;
use serde_json::Value;

use super::{ToolError, ask, template_in};
use crate::file;

/// A host as the inventory describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InventoryHost {
    pub name: HostName,
    /// Every group it belongs to, directly or through another, without `all` and `ungrouped`.
    pub groups: BTreeSet<String>,
    /// Its own variables and those of its groups.
    pub variables: BTreeMap<String, Value>,
}

/// Why an inventory was not taken. Nothing was stored.
#[derive(Debug, thiserror::Error)]
pub enum InventoryError {
    #[error(transparent)]
    Tool(#[from] ToolError),
    #[error(
        "The inventory could not be put into a temporary file for Ansible to read: {0}. See that the disk has free space."
    )]
    Scratch(#[from] io::Error),
    #[error("The inventory is longer than {limit} characters. Import it in parts, and let hosts that are not named stay.", limit = LONGEST)]
    TooLong,
    #[error(
        "Ansible cannot read the inventory: {0} Correct it and try again; both INI and YAML inventories are understood."
    )]
    Unreadable(String),
    #[error(
        "The inventory names no host. Write one host a line, such as “web-1 ansible_host=10.0.0.11”."
    )]
    Empty,
    #[error("{0}")]
    Name(String),
    #[error("Host {host} sets {variable}, which Slipway does not pass to Ansible. Of Ansible's own variables only {allowed} may be set; keys and known hosts are in Slipway's configuration.", allowed = ALLOWED.join(", "))]
    Forbidden { host: HostName, variable: String },
    #[error(
        "Host {host} has a template in {variable}. Ansible would run it, so write the plain value, without “{{{{”, “{{%” and “{{#”."
    )]
    Template { host: HostName, variable: String },
    #[error("Host {host}: {variable} is {problem}.")]
    Value {
        host: HostName,
        variable: String,
        problem: &'static str,
    },
}

/// What an inventory may say about connecting: none of these can start a program on the machine Slipway runs on.
const ALLOWED: [&str; 5] = [
    "ansible_host",
    "ansible_port",
    "ansible_user",
    "ansible_python_interpreter",
    "ansible_become",
];
const LONGEST: usize = 1_000_000;

/// Reads an INI or YAML inventory with the `ansible-inventory` beside `playbook_bin`. Refuses the whole text if
/// anything in it is not understood or not allowed. Hosts come in the order of their names.
pub async fn read(playbook_bin: &Path, text: &str) -> Result<Vec<InventoryHost>, InventoryError> {
    if text.len() > LONGEST {
        return Err(InventoryError::TooLong);
    }
    // A folder of its own: Ansible also reads group_vars and host_vars beside an inventory.
    let folder = tempfile::Builder::new()
        .prefix("slipway-inventory-")
        .tempdir()?;
    let source = folder.path().join("inventory");
    let config = folder.path().join("ansible.cfg");
    file::replace(&source, text.as_bytes())?;
    // ansible-inventory reads no other configuration than this.
    file::replace(
        &config,
        b"[inventory]\nenable_plugins = yaml,ini\nany_unparsed_is_failed = True\n",
    )?;

    let program = playbook_bin.with_file_name("ansible-inventory");
    let env = [
        ("ANSIBLE_CONFIG", config.as_path()),
        ("ANSIBLE_HOME", folder.path()),
        ("ANSIBLE_LOCAL_TEMP", folder.path()),
        ("HOME", folder.path()),
    ];
    let answer = ask(
        &program,
        &["--list", "--inventory", "inventory"],
        &env,
        folder.path(),
    )
    .await?;
    if !answer.ok {
        return Err(InventoryError::Unreadable(complaint(text, &answer.stderr)));
    }
    let listing: Listing = serde_json::from_slice(&answer.stdout).map_err(|error| {
        InventoryError::Unreadable(format!(
            "{} gave an answer of an unknown form ({error}).",
            program.display()
        ))
    })?;
    let hosts = listing.hosts()?;
    if hosts.is_empty() {
        Err(InventoryError::Empty)
    } else {
        Ok(hosts)
    }
}

/// What `ansible-inventory --list` prints.
#[derive(Deserialize)]
struct Listing {
    #[serde(rename = "_meta", default)]
    meta: Meta,
    #[serde(flatten)]
    groups: BTreeMap<String, Group>,
}

#[derive(Deserialize, Default)]
struct Meta {
    #[serde(default)]
    hostvars: BTreeMap<String, BTreeMap<String, Value>>,
}

#[derive(Deserialize)]
struct Group {
    #[serde(default)]
    hosts: Vec<String>,
    #[serde(default)]
    children: Vec<String>,
}

impl Listing {
    fn hosts(self) -> Result<Vec<InventoryHost>, InventoryError> {
        let mut groups_of: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for group in self.groups.keys() {
            for host in self.members(group) {
                let groups = groups_of.entry(host).or_default();
                if group != "all" && group != "ungrouped" {
                    groups.insert(group.clone());
                }
            }
        }
        groups_of
            .into_iter()
            .map(|(name, groups)| {
                let name: HostName = name.parse().map_err(|error: domain::text::FieldError| {
                    InventoryError::Name(error.message)
                })?;
                let variables = self
                    .meta
                    .hostvars
                    .get(name.as_str())
                    .cloned()
                    .unwrap_or_default();
                variables
                    .iter()
                    .try_for_each(|(variable, value)| check(&name, variable, value))?;
                Ok(InventoryHost {
                    name,
                    groups,
                    variables,
                })
            })
            .collect()
    }

    fn members(&self, group: &str) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut open = vec![group];
        while let Some(name) = open.pop() {
            if let Some(group) = self
                .groups
                .get(name)
                .filter(|_| seen.insert(name.to_owned()))
            {
                found.extend(group.hosts.iter().map(String::as_str));
                open.extend(group.children.iter().map(String::as_str));
            }
        }
        found
    }
}

fn check(host: &HostName, variable: &str, value: &Value) -> Result<(), InventoryError> {
    let named = || (host.clone(), variable.to_owned());
    if template_in(value).is_some() {
        let (host, variable) = named();
        return Err(InventoryError::Template { host, variable });
    }
    if variable.starts_with("ansible_") && !ALLOWED.contains(&variable) {
        let (host, variable) = named();
        return Err(InventoryError::Forbidden { host, variable });
    }
    let text = value.as_str().unwrap_or_default();
    let made_of = |more: &str| {
        !text.is_empty()
            && text.len() <= 253
            && !text.starts_with('-')
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    // These end up in ssh's arguments and in the first line of a script.
    let problem = match variable {
        "ansible_host" => {
            (!made_of(".:-_%")).then_some("not an address. Give a host name or an IP address")
        }
        "ansible_user" => (!made_of("._-@+$")).then_some("not a user name"),
        "ansible_python_interpreter" => {
            (!made_of("/._-+")).then_some("not the path of a Python 3, such as /usr/bin/python3")
        }
        "ansible_port" => {
            let port = value.as_u64().or_else(|| text.parse().ok());
            (!port.is_some_and(|port| (1..=65535).contains(&port)))
                .then_some("not a port from 1 to 65535")
        }
        "ansible_become" => {
            let plain = value.is_boolean()
                || ["true", "false", "yes", "no"].contains(&text.to_ascii_lowercase().as_str());
            (!plain).then_some("neither true nor false")
        }
        "slipway_root" => {
            let plain = text.is_empty()
                || made_of("/._-+@=")
                    && text.starts_with('/')
                    && !text.ends_with('/')
                    && !text.contains("..");
            (!plain || !value.is_string()).then_some("not a folder. Give an absolute path of letters, digits, dots, hyphens and underscores, without a slash at its end")
        }
        "slipway_install_root" => Some(
            "a folder of the service, which is the same on every host. Give the folder of this host below which it lies as slipway_root",
        ),
        _ => encrypted(value).then_some(
            "encrypted with Ansible Vault, which Slipway does not open. Keep secrets on the host",
        ),
    };
    match problem {
        None => Ok(()),
        Some(problem) => {
            let (host, variable) = named();
            Err(InventoryError::Value {
                host,
                variable,
                problem,
            })
        }
    }
}

/// Ansible's JSON form of vaulted and other special values.
fn encrypted(value: &Value) -> bool {
    match value {
        Value::Array(values) => values.iter().any(encrypted),
        Value::Object(fields) => fields
            .iter()
            .any(|(name, value)| name.starts_with("__ansible") || encrypted(value)),
        _ => false,
    }
}

/// Ansible's reason, from the plugin for the notation that was probably meant.
fn complaint(text: &str, stderr: &str) -> String {
    let first = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with(['#', ';']))
        .unwrap_or_default();
    let plugin = if first == "---" || first.ends_with(':') || first.starts_with('{') {
        "yaml"
    } else {
        "ini"
    };
    let mark = format!("'{plugin}' plugin: ");
    let said = stderr
        .lines()
        .find_map(|line| line.split_once(&mark).map(|(_, said)| said))
        .or_else(|| stderr.lines().rfind(|line| line.contains("ERROR")))
        .unwrap_or("it gave no reason");
    let said = said
        .trim_start_matches("Failed to parse inventory: ")
        .trim_end_matches('.');
    let plain: String = said.chars().filter(|c| !c.is_control()).take(400).collect();
    format!("{plain}.")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn hosts(name: &str, variables: Value) -> Result<Vec<InventoryHost>, InventoryError> {
        let listing = json!({"_meta": {"hostvars": {name: variables}}, "all": {"children": ["ungrouped"]}, "ungrouped": {"hosts": [name]}});
        serde_json::from_value::<Listing>(listing).unwrap().hosts()
    }

    #[test]
    fn only_harmless_variables_are_taken() {
        for (variable, value, problem) in [
            ("ansible_host", json!("10.0.0.1"), None),
            ("ansible_host", json!("fe80::1%eth0"), None),
            (
                "ansible_host",
                json!("-oProxyCommand=x"),
                Some("not an address"),
            ),
            ("ansible_host", json!(""), Some("not an address")),
            ("ansible_host", json!(["a"]), Some("not an address")),
            ("ansible_port", json!(22), None),
            ("ansible_port", json!("2222"), None),
            ("ansible_port", json!(99999), Some("not a port")),
            ("ansible_port", json!(0), Some("not a port")),
            ("ansible_user", json!("deploy"), None),
            ("ansible_user", json!("-x y"), Some("not a user name")),
            (
                "ansible_python_interpreter",
                json!("/usr/bin/python3.12"),
                None,
            ),
            (
                "ansible_python_interpreter",
                json!("/bin/sh -c"),
                Some("not the path"),
            ),
            ("ansible_become", json!(true), None),
            ("ansible_become", json!("maybe"), Some("neither")),
            ("ansible_become_exe", json!("/x"), Some("does not pass")),
            (
                "ansible_ssh_common_args",
                json!("-o ProxyCommand=x"),
                Some("does not pass"),
            ),
            ("ansible_connection", json!("local"), Some("does not pass")),
            (
                "deep",
                json!({"a": [{"b": "x {% if y %}"}]}),
                Some("template"),
            ),
            ("deep", json!({"{{ a }}": 1}), Some("template")),
            ("deep", json!("{# a #}"), Some("template")),
            ("deep", json!({"a": ["{ plain }", 1, null]}), None),
            ("secret", json!({"__ansible_vault": "x"}), Some("Vault")),
            ("slipway_root", json!("/srv/web-1"), None),
            ("slipway_root", json!(""), None),
            ("slipway_root", json!("/srv/"), Some("not a folder")),
            ("slipway_root", json!("/srv/../etc"), Some("not a folder")),
            ("slipway_root", json!(7), Some("not a folder")),
            (
                "slipway_install_root",
                json!("/opt/x"),
                Some("slipway_root"),
            ),
        ] {
            let result = hosts("web-1", json!({variable: value}));
            match problem {
                None => assert!(result.is_ok(), "{variable} {value}: {result:?}"),
                Some(part) => {
                    let said = result.unwrap_err().to_string();
                    assert!(
                        said.contains("web-1") && said.contains(variable) && said.contains(part),
                        "{said}"
                    );
                }
            }
        }
    }

    #[test]
    fn names_are_checked() {
        for name in ["we b", "-oProxyCommand=x", "{{ x }}", "a/b"] {
            assert!(
                matches!(hosts(name, json!({})), Err(InventoryError::Name(_))),
                "{name}"
            );
        }
    }
}
