//! `slipway job`.

use clap::Subcommand;

use super::{
    Failure, Output,
    client::Client,
    table::{aligned, printable},
};
use crate::api::shape::{Cancel, Items, Job, JobDetail, Line, Log};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List jobs, newest first
    List {
        /// Only of this service
        #[arg(long)]
        service: Option<String>,
        /// Only in this environment
        #[arg(long)]
        environment: Option<String>,
        /// Only in this state: queued, starting, running, cancelling, succeeded, failed, timed_out, cancelled, unknown or
        /// resolved; `open` is every one that has not ended
        #[arg(long)]
        state: Option<String>,
        /// Continue a list: the cursor printed below it
        #[arg(long)]
        cursor: Option<String>,
        #[command(flatten)]
        output: Output,
    },
    /// Show one job
    Show {
        id: String,
        #[command(flatten)]
        output: Output,
    },
    /// Print a job's output to its end; exit code 0 only if it succeeded
    Watch {
        id: String,
        #[command(flatten)]
        output: Output,
    },
    /// Print a job's output as far as it is stored
    Logs {
        id: String,
        /// First line, from 1
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
        from: u64,
        /// Go on to the end of the job, as `watch` does
        #[arg(long, conflicts_with = "from")]
        follow: bool,
        #[command(flatten)]
        output: Output,
    },
    /// Ask for a job to be stopped
    Cancel {
        id: String,
        /// Why; kept in the audit trail
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        output: Output,
    },
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
            let page: Items<Job> = client.get(&["jobs"], &query).await?;
            super::write_page(
                output,
                &page,
                &[
                    "JOB",
                    "KIND",
                    "SERVICE",
                    "ENVIRONMENT",
                    "VERSION",
                    "BATCH",
                    "STATE",
                    "QUEUED",
                ],
                |job| {
                    vec![
                        job.id.to_string(),
                        job.kind.clone(),
                        job.service.clone(),
                        job.environment.clone(),
                        job.version.clone(),
                        job.batch.to_string(),
                        job.state.clone(),
                        super::moment(Some(job.queued_at)),
                    ]
                },
            )
        }
        Command::Show { id, output } => {
            let job: JobDetail = client.get(&["jobs", &id], &[]).await?;
            if output.json {
                super::write_json(&job)
            } else {
                show(&job)
            }
        }
        Command::Watch { id, output } => watch(client, &id, output).await,
        Command::Logs {
            id,
            follow: true,
            output,
            ..
        } => watch(client, &id, output).await,
        Command::Logs {
            id, from, output, ..
        } => logs(client, &id, from, output).await,
        Command::Cancel { id, reason, output } => {
            let job: Job = client
                .post(&["jobs", &id, "cancel"], &Cancel { reason })
                .await?;
            if output.json {
                return super::write_json(&job);
            }
            println!("The job will be stopped. `slipway job show {id}` says when it has been.");
            Ok(())
        }
    }
}

fn show(JobDetail { job, waits_for }: &JobDetail) -> Result<(), Failure> {
    let mut rows = vec![
        vec!["job".to_owned(), job.id.to_string()],
        vec![
            "does".to_owned(),
            format!(
                "{} {} {} in {}, batch {}",
                job.kind, job.service, job.version, job.environment, job.batch
            ),
        ],
        vec!["rollout".to_owned(), job.rollout.to_string()],
        vec!["state".to_owned(), job.state.clone()],
        vec!["queued".to_owned(), super::moment(Some(job.queued_at))],
        vec!["started".to_owned(), super::moment(job.started_at)],
        vec!["ended".to_owned(), super::moment(job.ended_at)],
    ];
    if !waits_for.is_empty() {
        rows.push(vec!["waits".to_owned(), waits_for.clone()]);
    }
    if let Some(cancelled) = &job.cancelled {
        let said = format!("by {}: {}", cancelled.by, cancelled.reason);
        rows.push(vec!["cancelled".to_owned(), printable(&said)]);
    }
    if !job.message.is_empty() {
        rows.push(vec!["message".to_owned(), job.message.clone()]);
    }
    print!("{}", aligned(&[], &rows));
    Ok(())
}

async fn logs(client: &Client, id: &str, mut from: u64, output: Output) -> Result<(), Failure> {
    loop {
        let first = from.to_string();
        let query = [("from", Some(first.as_str())), ("limit", Some("2000"))];
        let log: Log = client.get(&["jobs", id, "log"], &query).await?;
        for line in &log.lines {
            let text = if output.json {
                super::json(line)?
            } else {
                printable(&line.text)
            };
            println!("{text}");
        }
        if log.lines.is_empty() || log.next <= from {
            return Ok(());
        }
        from = log.next;
    }
}

async fn watch(client: &Client, id: &str, output: Output) -> Result<(), Failure> {
    let mut last: Option<String> = None;
    super::persist(async || {
        let Some(mut events) = client.follow(&["jobs", id, "log"], last.as_deref()).await? else {
            return Ok(Some(()));
        };
        while let Some(event) = events.next().await {
            match event.name.as_str() {
                "line" => {
                    let line: Line = serde_json::from_str(&event.data).map_err(|why| {
                        Failure::new(
                            Failure::FAILED,
                            format!("A line of output cannot be read: {why}."),
                        )
                    })?;
                    println!(
                        "{}",
                        if output.json {
                            event.data
                        } else {
                            printable(&line.text)
                        }
                    );
                    last = event.id;
                }
                "end" => return Ok(Some(())),
                _ => {}
            }
        }
        // The next turn goes on after the last line.
        Ok(None)
    })
    .await?;
    let job: Job = client.get(&["jobs", id], &[]).await?;
    if job.state == "succeeded" {
        Ok(())
    } else {
        Err(Failure::new(
            Failure::FAILED,
            format!("The job is {}. {}", job.state, printable(&job.message)),
        ))
    }
}
