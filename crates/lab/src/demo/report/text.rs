//! The report as aligned lines for a terminal.

use std::fmt::Write as _;

use domain::verdict::{Dimension, Measurement};

use super::super::rollout::spoken;
use super::{PersonReport, Report, RolloutReport};

impl Report {
    /// The report as aligned text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for rollout in &self.rollouts {
            self.rollout_text(&mut text, rollout);
        }
        let mut versions: Vec<(&str, &str, Vec<&str>)> = Vec::new();
        for host in &self.hosts {
            match versions.iter_mut().find(|(environment, version, _)| {
                (*environment, *version) == (host.environment.as_str(), host.version.as_str())
            }) {
                Some((.., names)) => names.push(&host.name),
                None => versions.push((&host.environment, &host.version, vec![&host.name])),
            }
        }
        let mut facts: Vec<(&str, String)> = Vec::new();
        for (at, (environment, version, names)) in versions.into_iter().enumerate() {
            let name = if at == 0 { "hosts say" } else { "" };
            facts.push((
                name,
                format!("{version} runs in {environment}: {}", list(&names)),
            ));
        }
        let failed = match self.failed_deployments {
            0 => String::new(),
            failed => format!(", {failed} of them failed"),
        };
        let back = self.rollback_seconds.map(|seconds| {
            format!(
                "; {} from the breach to the verified roll back",
                spell(seconds)
            )
        });
        facts.push((
            "deployments",
            format!("{}{failed}{}", self.deployments, back.unwrap_or_default()),
        ));
        facts.push(("audit", format!("{} events", self.audit_events)));
        facts.push(("took", spell(self.seconds)));
        text.push('\n');
        for (name, value) in facts {
            let _ = writeln!(text, "  {name:<12}{value}");
        }
        text
    }

    fn rollout_text(&self, text: &mut String, rollout: &RolloutReport) {
        let RolloutReport {
            version,
            environment,
            ..
        } = rollout;
        let before = rollout.version_before.as_deref().unwrap_or("nothing");
        let took = rollout
            .seconds
            .map(|seconds| format!(" after {}", spell(seconds)))
            .unwrap_or_default();
        let by_itself = if rollout.outcome == "rolled_back" {
            " by itself"
        } else {
            ""
        };
        let _ = writeln!(
            text,
            "\n{} {before} → {version} in {environment}: {}{by_itself}{took}",
            self.service,
            spoken(&rollout.outcome)
        );
        let head = [
            "batch",
            "hosts",
            "state",
            "verdict",
            "seconds",
            "error rate %",
            "latency ms",
            "alive",
        ];
        let rows = rollout.batches.iter().map(|batch| {
            let measured = |dimension| {
                batch
                    .measurements
                    .iter()
                    .find(|one| one.dimension == dimension)
                    .map_or_else(|| "–".to_owned(), figures)
            };
            [
                batch.number.to_string(),
                list(
                    &batch
                        .host_names
                        .iter()
                        .map(String::as_str)
                        .collect::<Vec<_>>(),
                ),
                spoken(&batch.state),
                batch
                    .verdict
                    .as_deref()
                    .map_or_else(|| "–".to_owned(), spoken),
                batch
                    .seconds
                    .map_or_else(|| "–".to_owned(), |seconds| format!("{seconds:.1}")),
                measured(Dimension::ErrorRate),
                measured(Dimension::Latency),
                measured(Dimension::Liveness),
            ]
        });
        let rows: Vec<[String; 8]> = std::iter::once(head.map(str::to_owned))
            .chain(rows)
            .collect();
        text.push_str(&table(&rows));
        let told = rollout.refused_to_requester.as_ref().map_or_else(
            || format!("{environment} asks for no approval"),
            |told| format!("told when approving alone: “{told}”"),
        );
        let _ = writeln!(text, "  {} asked; {told}", rollout.requested_by);
        let _ = writeln!(text, "  {}", rollout.sentence);
    }
}

/// Where the console is and who there is, for whoever goes on from here.
pub fn invitation(console: &str, people: &[PersonReport]) -> String {
    let mut text = format!("\n  {:<12}{console}\n", "console");
    for (at, person) in people.iter().enumerate() {
        let name = if at == 0 { "sign in as" } else { "" };
        let _ = writeln!(
            text,
            "  {name:<12}{:<8}{:<16}{}",
            person.login, person.name, person.role
        );
    }
    text
}

/// “0.41 → 0.35 (≤ 1.41)”: before, now, and what would still have passed.
fn figures(one: &Measurement) -> String {
    let digits = match one.dimension {
        Dimension::ErrorRate => 2,
        Dimension::Latency => 1,
        Dimension::Liveness => 0,
    };
    let figure = |value: Option<f64>| {
        value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"))
    };
    let bound = if one.dimension == Dimension::Liveness {
        "≥"
    } else {
        "≤"
    };
    let limit = one
        .limit
        .map(|limit| format!(" ({bound} {limit:.digits$})"))
        .unwrap_or_default();
    format!("{} → {}{limit}", figure(one.baseline), figure(one.measured))
}

/// Columns as wide as their widest cell.
pub fn table<const COLUMNS: usize>(rows: &[[String; COLUMNS]]) -> String {
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..COLUMNS).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let line: String = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("  {cell:<width$}"))
            .collect();
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// Names; of many the first and the last.
fn list(names: &[&str]) -> String {
    match names {
        [first, _, _, _, _, .., last] if names.len() > 6 => {
            format!("{first} … {last} ({})", names.len())
        }
        _ => names.join(" "),
    }
}

fn spell(seconds: f64) -> String {
    if seconds < 120.0 {
        format!("{seconds:.1} s")
    } else {
        format!(
            "{:.0} min {:02.0} s",
            (seconds / 60.0).floor(),
            seconds % 60.0
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_hosts_are_told_by_the_first_and_the_last() {
        let names: Vec<String> = (1..=40).map(|number| format!("prod-{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(list(&names), "prod-1 … prod-40 (40)");
        assert_eq!(list(&names[..3]), "prod-1 prod-2 prod-3");
    }
}
