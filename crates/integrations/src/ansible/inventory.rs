//! From the inventory a person pasted to hosts, by Ansible's own reading of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
};

use domain::text::HostName;
use serde::Deserialize;
use serde_json::Value;

mod project;
mod variables;

pub use project::{Dynamic, from_project};
use variables::ALLOWED;
pub(crate) use variables::check;

use super::{ANSWER_TIME, MEMORY, ToolError, ask};
use crate::{file, process};

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
        "“{0}” is not the path of an inventory in the project. Give a path of letters, digits, hyphens, underscores and dots, such as “inventories/production”."
    )]
    Path(String),
    #[error(
        "The project has no inventory {0}. Give the path of a file or a folder of the project, as it is at this commit."
    )]
    NoSource(String),
    #[error(
        "“{0}” cannot be given to an inventory: it could change how Ansible itself is run. Give only what the inventory asks for, such as AWS_ACCESS_KEY_ID."
    )]
    Environment(String),
    #[error(
        "The inventory {path} gave no answer within {seconds} s. It was ended, with everything it had started. Run it by hand to see what it waits for."
    )]
    Hangs { path: String, seconds: u64 },
    #[error("The inventory {path} could not be used: {why}")]
    Failed { path: String, why: String },
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
    #[error(
        "Host {host} sets {variable} in plain text, where everybody reads it. Take it out, and give it as a secret variable."
    )]
    Secret { host: HostName, variable: String },
    #[error("Host {host}: {variable} is {problem}.")]
    Value {
        host: HostName,
        variable: String,
        problem: &'static str,
    },
}

/// Characters of an inventory: 10,000 hosts with a few hundred each.
const LONGEST: usize = 4_000_000;

/// Reads an INI or YAML inventory with the `ansible-inventory` beside `playbook_bin`. Refuses the whole text if
/// anything in it is not understood or not allowed. Hosts come in the order of their names.
pub async fn read(playbook_bin: &Path, text: &str) -> Result<Vec<InventoryHost>, InventoryError> {
    if text.len() > LONGEST {
        return Err(InventoryError::TooLong);
    }
    // A folder of its own: Ansible also reads group_vars and host_vars beside an inventory.
    let folder = process::scratch()?;
    let source = folder.path().join("inventory");
    let config = folder.path().join("ansible.cfg");
    file::put(&source, text.as_bytes())?;
    // ansible-inventory reads no other configuration than this.
    file::put(
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
    let args = ["--list", "--inventory", "inventory"];
    let answer = ask(&program, &args, &env, folder.path(), (ANSWER_TIME, MEMORY)).await?;
    if !answer.ok {
        return Err(InventoryError::Unreadable(complaint(text, &answer.stderr)));
    }
    hosts_of(&program, &answer.stdout)
}

fn hosts_of(program: &Path, listing: &[u8]) -> Result<Vec<InventoryHost>, InventoryError> {
    let listing: Listing = serde_json::from_slice(listing).map_err(|error| {
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
    reason(plugin, stderr)
}

/// What a plugin complained about, or else what Ansible did last.
fn reason(plugin: &str, stderr: &str) -> String {
    // Quoted since 2.19.
    let marks = [
        format!("'{plugin}' plugin: "),
        format!(" {plugin} plugin: "),
    ];
    let after = |line: &'_ str| {
        let mark = marks.iter().find(|mark| line.contains(mark.as_str()))?;
        line.split_once(mark.as_str())
            .map(|(_, said)| said.to_owned())
    };
    let said = stderr
        .lines()
        .find_map(after)
        .or_else(|| {
            stderr
                .lines()
                .rfind(|line| line.contains("ERROR"))
                .map(str::to_owned)
        })
        .unwrap_or_else(|| "it gave no reason".to_owned());
    let said = said
        .trim_start_matches("Failed to parse inventory: ")
        .trim_end_matches('.');
    let plain: String = said.chars().filter(|c| !c.is_control()).take(400).collect();
    match place(stderr) {
        Some((line, column)) if !plain.contains("line ") => {
            format!("{plain} (line {line}, column {column}).")
        }
        _ => format!("{plain}."),
    }
}

/// Where in the file Ansible found what it complains about, if it says so: “Origin: …/inventory:3:7”, or before 2.19 “line 3,
/// column 7”.
fn place(stderr: &str) -> Option<(u32, u32)> {
    let numbers = |line: &str| {
        if let Some(origin) = line.trim_start().strip_prefix("Origin: ") {
            let mut parts = origin.rsplit(':');
            let (column, line) = (parts.next()?, parts.next()?);
            return Some((line.parse().ok()?, column.parse().ok()?));
        }
        let (_, rest) = line.split_once("line ")?;
        let (line, rest) = rest.split_once(", column ")?;
        let digits = rest.find(|c: char| !c.is_ascii_digit());
        let column = &rest[..digits.unwrap_or(rest.len())];
        Some((line.parse().ok()?, column.parse().ok()?))
    };
    stderr.lines().find_map(numbers)
}
