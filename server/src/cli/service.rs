//! `slipway service`.

use std::collections::BTreeMap;

use clap::Subcommand;

use super::{Failure, Output, client::Client, table::aligned};
use crate::api::shape::{Items, Service, ServiceDetail};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List services
    List {
        /// Continue a list: the cursor printed below it
        #[arg(long)]
        cursor: Option<String>,
        #[command(flatten)]
        output: Output,
    },
    /// Show one service and its newest rollouts
    Show {
        /// Short name
        slug: String,
        #[command(flatten)]
        output: Output,
    },
}

/// “1.4.1 on 5, 1.4.0 on 1”.
fn on_hosts(versions: &BTreeMap<String, u32>) -> String {
    let mut versions: Vec<_> = versions.iter().collect();
    versions.sort_by_key(|(_, hosts)| std::cmp::Reverse(**hosts));
    let on = |(version, hosts): (&String, &u32)| format!("{version} on {hosts}");
    versions.into_iter().map(on).collect::<Vec<_>>().join(", ")
}

pub async fn run(command: Command, client: &Client) -> Result<(), Failure> {
    match command {
        Command::List { cursor, output } => {
            let page: Items<Service> = client
                .get(&["services"], &[("cursor", cursor.as_deref())])
                .await?;
            super::write_page(
                output,
                &page,
                &["SERVICE", "TEAM", "RUNS", "NAME"],
                |service| {
                    let runs: Vec<String> = service
                        .runs
                        .iter()
                        .map(|(environment, versions)| {
                            format!("{environment} {}", on_hosts(versions))
                        })
                        .collect();
                    vec![
                        service.slug.clone(),
                        service.team.clone(),
                        runs.join(", "),
                        service.name.clone(),
                    ]
                },
            )
        }
        Command::Show { slug, output } => {
            let detail: ServiceDetail = client.get(&["services", &slug], &[]).await?;
            if output.json {
                return super::write_json(&detail);
            }
            let service = &detail.service;
            let mut rows = vec![
                vec!["service".to_owned(), service.slug.clone()],
                vec!["name".to_owned(), service.name.clone()],
                vec!["team".to_owned(), service.team.clone()],
            ];
            for (label, value) in [
                ("description", &service.description),
                ("repository", &detail.repository),
            ] {
                if !value.is_empty() {
                    rows.push(vec![label.to_owned(), value.clone()]);
                }
            }
            rows.extend(service.runs.iter().map(|(environment, versions)| {
                vec![format!("in {environment}"), on_hosts(versions)]
            }));
            print!("{}", aligned(&[], &rows));
            if !detail.rollouts.is_empty() {
                let rows: Vec<_> = detail.rollouts.iter().map(super::rollout::row).collect();
                print!("\n{}", aligned(super::rollout::HEAD, &rows));
            }
            Ok(())
        }
    }
}
