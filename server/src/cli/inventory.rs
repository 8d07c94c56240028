//! `slipway inventory`.

use std::{io::Read as _, path::PathBuf};

use clap::Subcommand;
use domain::inventory::{Absent, Turn, ValueChange};

use super::{
    Failure, Output,
    client::Client,
    table::{aligned, printable},
};
use crate::api::shape::{HostDiff, Inventory, InventoryDiff, InventoryHost, Items, ValueDiff};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the hosts of an environment
    Show {
        /// Short name of the environment
        environment: String,
        /// Continue a list: the cursor printed below it
        #[arg(long)]
        cursor: Option<String>,
        #[command(flatten)]
        output: Output,
    },
    /// Compare an inventory with the hosts of an environment; nothing is written
    Diff {
        /// Short name of the environment
        environment: String,
        /// Ansible inventory, INI or YAML; “-” reads it from standard input
        file: PathBuf,
        /// The inventory is the whole: hosts that it does not name would be removed
        #[arg(long)]
        remove: bool,
        /// End with exit code 7 when something would change, as a script needs it
        #[arg(long)]
        exit_code: bool,
        #[command(flatten)]
        output: Output,
    },
}

pub async fn run(command: Command, client: &Client) -> Result<(), Failure> {
    match command {
        Command::Show {
            environment,
            cursor,
            output,
        } => {
            let page: Items<InventoryHost> = client
                .get(
                    &["environments", &environment, "hosts"],
                    &[("cursor", cursor.as_deref())],
                )
                .await?;
            super::write_page(
                output,
                &page,
                &["HOST", "RUNS", "ADDRESS", "CRITICALITY", "DOMAIN", "GROUPS"],
                |host| {
                    let runs = host.runs.iter();
                    let runs: Vec<_> = runs.map(|(service, v)| format!("{service} {v}")).collect();
                    vec![
                        host.name.clone(),
                        runs.join(", "),
                        host.address.clone(),
                        host.criticality.clone(),
                        host.failure_domain.clone(),
                        host.groups.join(", "),
                    ]
                },
            )
        }
        Command::Diff {
            environment,
            file,
            remove,
            exit_code,
            output,
        } => {
            let absent = if remove { Absent::Remove } else { Absent::Keep };
            let asked = Inventory {
                inventory: read(&file)?,
                absent: absent.to_string(),
            };
            let segments = ["environments", &environment, "inventory", "diff"];
            let diff: InventoryDiff = client.post(&segments, &asked).await?;
            if output.json {
                super::write_json(&diff)?;
            } else {
                print!("{}", told(&diff, absent));
            }
            if exit_code && changes_something(&diff, absent) {
                let message = "The inventory would change hosts.";
                return Err(Failure::new(Failure::DIFFERS, message));
            }
            Ok(())
        }
    }
}

fn read(file: &PathBuf) -> Result<String, Failure> {
    let mut text = String::new();
    let read = if file.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|mut file| file.read_to_string(&mut text))
    };
    read.map_err(|why| {
        let message = format!("The inventory {} cannot be read: {why}.", file.display());
        Failure::new(Failure::USAGE, message)
    })?;
    Ok(text)
}

/// One line for each host that differs, with a sign as in other diffs, and the counts below.
fn told(diff: &InventoryDiff, absent: Absent) -> String {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut row = |sign: &str, name: &str, what: String| {
        rows.push(vec![sign.to_owned(), name.to_owned(), what]);
    };
    for name in &diff.added {
        let again = diff.gone.contains(name);
        let what = if again {
            "new: the same name, another host (slipway_identity)"
        } else {
            "new"
        };
        row("+", name, what.to_owned());
    }
    for change in &diff.changed {
        row("~", &change.name, changes(change));
    }
    let (sign, gone) = match absent {
        Absent::Keep => (" ", "not named, stays"),
        Absent::Remove => ("-", "removed"),
    };
    for name in &diff.gone {
        row(sign, name, gone.to_owned());
    }
    let removed = if absent == Absent::Remove {
        diff.gone.len()
    } else {
        0
    };
    format!(
        "{}{} new, {} changed, {removed} removed, {} as before\n",
        aligned(&[], &rows),
        diff.added.len(),
        diff.changed.len(),
        diff.unchanged
    )
}

fn changes_something(diff: &InventoryDiff, absent: Absent) -> bool {
    let removes = absent == Absent::Remove && !diff.gone.is_empty();
    removes || !diff.added.is_empty() || !diff.changed.is_empty()
}

fn spelt(value: &ValueDiff) -> String {
    let values = value.before.clone().zip(value.after.clone());
    let change = ValueChange {
        // A newer server may know another word.
        turn: value.change.parse().unwrap_or(Turn::Changed),
        values: values.map(|(before, after)| [before, after]),
    };
    change.spell(&value.name)
}

fn changes(change: &HostDiff) -> String {
    let renamed = change.renamed_from.iter();
    let parts: Vec<String> = renamed
        .map(|name| format!("was called {name}"))
        .chain(
            change
                .groups_joined
                .iter()
                .map(|group| format!("joins {group}")),
        )
        .chain(
            change
                .groups_left
                .iter()
                .map(|group| format!("leaves {group}")),
        )
        .chain(change.values.iter().map(spelt))
        .collect();
    printable(&parts.join(", "))
}
