//! `slipway rollout`.

use clap::Subcommand;

use super::{
    Failure, Output,
    client::Client,
    table::{aligned, printable},
};
use crate::api::shape::{Batch, Host, Items, Rollout, RolloutDetail};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List rollouts, newest first
    List {
        /// Only of this service
        #[arg(long)]
        service: Option<String>,
        /// Only in this environment
        #[arg(long)]
        environment: Option<String>,
        /// Only in this state; `open` is every one that has not ended, `waiting` every one that waits for a person
        #[arg(long)]
        state: Option<String>,
        /// Continue a list: the cursor printed below it
        #[arg(long)]
        cursor: Option<String>,
        #[command(flatten)]
        output: Output,
    },
    /// Show one rollout with its batches
    Show {
        id: String,
        #[command(flatten)]
        output: Output,
    },
    /// List the hosts of one rollout, in the order of their change
    Hosts {
        id: String,
        /// Only of this batch
        #[arg(long)]
        batch: Option<u32>,
        /// Continue a list: the cursor printed below it
        #[arg(long)]
        cursor: Option<String>,
        #[command(flatten)]
        output: Output,
    },
    /// Follow one rollout to its end; exit code 0 only if it succeeded
    Watch {
        id: String,
        /// End as well when it goes no further before a person has decided, with exit code 6
        #[arg(long)]
        until_person: bool,
        #[command(flatten)]
        output: Output,
    },
}

pub const HEAD: &[&str] = &[
    "ROLLOUT",
    "SERVICE",
    "ENVIRONMENT",
    "VERSION",
    "STATE",
    "BATCHES",
    "REQUESTED BY",
    "CREATED",
];

pub fn row(rollout: &Rollout) -> Vec<String> {
    let promoted = rollout
        .batches
        .iter()
        .filter(|batch| batch.state == "promoted")
        .count();
    vec![
        rollout.id.to_string(),
        rollout.service.clone(),
        rollout.environment.clone(),
        rollout.version.clone(),
        standing(rollout),
        format!("{promoted}/{}", rollout.batches.len()),
        rollout.requested_by.clone(),
        super::moment(Some(rollout.created_at)),
    ]
}

/// “running, waits for a person”.
fn standing(rollout: &Rollout) -> String {
    let waits = if rollout.waits_for_person {
        ", waits for a person"
    } else {
        ""
    };
    format!("{}{waits}", rollout.state)
}

pub async fn run(command: Command, client: &Client) -> Result<(), Failure> {
    match command {
        Command::List {
            service,
            environment,
            state,
            cursor,
            output,
        } => {
            let query = [
                ("service", service.as_deref()),
                ("environment", environment.as_deref()),
                ("state", state.as_deref()),
                ("cursor", cursor.as_deref()),
            ];
            let page: Items<Rollout> = client.get(&["rollouts"], &query).await?;
            super::write_page(output, &page, HEAD, row)
        }
        Command::Show { id, output } => {
            let detail: RolloutDetail = client.get(&["rollouts", &id], &[]).await?;
            if output.json {
                super::write_json(&detail)
            } else {
                show(&detail)
            }
        }
        Command::Hosts {
            id,
            batch,
            cursor,
            output,
        } => {
            let batch = batch.map(|batch| batch.to_string());
            let query = [("batch", batch.as_deref()), ("cursor", cursor.as_deref())];
            let page: Items<Host> = client.get(&["rollouts", &id, "hosts"], &query).await?;
            super::write_page(output, &page, HOSTS, host)
        }
        Command::Watch {
            id,
            until_person,
            output,
        } => watch(client, &id, until_person, output).await,
    }
}

const HOSTS: &[&str] = &["HOST", "BATCH", "PHASE", "BEFORE", "RUNS", "MESSAGE"];

fn host(host: &Host) -> Vec<String> {
    let version = |version: &Option<String>| version.clone().unwrap_or_else(|| "-".to_owned());
    vec![
        host.name.clone(),
        host.batch.to_string(),
        host.phase.clone(),
        version(&host.version_before),
        version(&host.version_observed),
        host.message.clone(),
    ]
}

fn show(detail: &RolloutDetail) -> Result<(), Failure> {
    let rollout = &detail.rollout;
    let mut rows = vec![
        vec!["rollout".to_owned(), rollout.id.to_string()],
        vec![
            "change".to_owned(),
            format!(
                "{} {} to {}",
                rollout.service, rollout.version, rollout.environment
            ),
        ],
        vec!["state".to_owned(), standing(rollout)],
        vec!["reason".to_owned(), detail.reason.clone()],
        vec!["requested by".to_owned(), rollout.requested_by.clone()],
        vec!["plan digest".to_owned(), detail.digest.clone()],
    ];
    if let Some(decided) = &detail.decided {
        rows.push(vec!["decided".to_owned(), decided.clone()]);
    }
    print!("{}\n{}\n", aligned(&[], &rows), printable(&detail.sentence));
    let rows: Vec<_> = detail.batches.iter().map(batch).collect();
    print!(
        "\n{}",
        aligned(
            &[
                "BATCH", "STATE", "HOSTS", "VERDICT", "STARTED", "ENDED", "MESSAGE"
            ],
            &rows
        )
    );
    Ok(())
}

fn batch(batch: &Batch) -> Vec<String> {
    let phases: Vec<String> = batch
        .phases
        .iter()
        .map(|(phase, count)| format!("{count} {phase}"))
        .collect();
    vec![
        batch.number.to_string(),
        batch.state.clone(),
        if phases.is_empty() {
            batch.hosts.to_string()
        } else {
            phases.join(", ")
        },
        batch
            .verdict
            .as_ref()
            .map_or_else(|| "-".to_owned(), |verdict| verdict.outcome.clone()),
        super::moment(batch.started_at),
        super::moment(batch.ended_at),
        batch.message.clone(),
    ]
}

/// How a state ends a watch: `Some(true)` well, `Some(false)` badly, `None` not yet.
fn ended(state: &str) -> Option<bool> {
    match state {
        "succeeded" => Some(true),
        "rolled_back" | "rollback_failed" | "recovered" | "aborted" | "rejected" | "withdrawn" => {
            Some(false)
        }
        _ => None,
    }
}

async fn watch(
    client: &Client,
    id: &str,
    until_person: bool,
    output: Output,
) -> Result<(), Failure> {
    let mut shown = String::new();
    let last = super::persist(async || {
        let Some(mut events) = client.follow(&["rollouts", id], None).await? else {
            return Ok(None);
        };
        while let Some(event) = events.next().await {
            if event.name != "changed" {
                continue;
            }
            let detail: RolloutDetail = match client.get(&["rollouts", id], &[]).await {
                Err(failure) if failure.code == Failure::NO_ANSWER => return Ok(None),
                answer => answer?,
            };
            let line = if output.json {
                super::json(&detail)?
            } else {
                summary(&detail)
            };
            if line != shown {
                println!("{line}");
                shown = line;
            }
            if ended(&detail.rollout.state).is_some()
                || until_person && detail.rollout.waits_for_person
            {
                return Ok(Some(detail));
            }
        }
        Ok(None)
    })
    .await?;
    let code = match ended(&last.rollout.state) {
        Some(true) => return Ok(()),
        _ if until_person && last.rollout.waits_for_person => Failure::WAITS,
        _ => Failure::FAILED,
    };
    Err(Failure::new(code, printable(&last.sentence)))
}

fn summary(detail: &RolloutDetail) -> String {
    let batches: Vec<String> = detail
        .batches
        .iter()
        .map(|batch| {
            let done: u32 = ["updated", "already_current"]
                .iter()
                .filter_map(|phase| batch.phases.get(*phase))
                .sum();
            format!(
                "batch {} {} {done}/{}",
                batch.number, batch.state, batch.hosts
            )
        })
        .collect();
    // A script that waits here is to know what for.
    let sentence = match detail.rollout.waits_for_person {
        true => format!("  waits for a person: {}", detail.sentence),
        false => String::new(),
    };
    printable(&format!(
        "{}  {}{sentence}",
        detail.rollout.state,
        batches.join("  ")
    ))
}
