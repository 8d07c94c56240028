//! What the bench found, as ratios, for people and for programs.

use std::fmt::Write as _;

use serde::Serialize;

use super::execution::Execution;
use super::load::{Load, SECONDS, p99, rate, size};
use super::weight::Weight;
use super::{Machine, ratio};
use crate::demo::report::table;

/// Slipway's share of an execution's time, or that many seconds, may come on top.
const OVERHEAD: f64 = 1.02;
const OVERHEAD_SECONDS: f64 = 0.1;
/// Answers per second of the rollout page over those of the empty page, at least.
const RATE: f64 = 0.25;
/// Milliseconds.
const P99: f64 = 20.0;
/// Bytes of a first page.
const WEIGHT: f64 = 300_000.0;

/// Letters in a line of text, beside which there is a margin of one.
const WIDTH: usize = 118;

/// The result of one run.
#[derive(Debug, Serialize)]
pub struct Report {
    pub rows: Vec<Row>,
    /// What was measured, and how sure it is; one sentence or more each.
    pub notes: Vec<String>,
    pub machine: Machine,
    pub execution: Execution,
    pub load: Vec<Load>,
    pub weight: Vec<Weight>,
    /// How long the bench took.
    pub seconds: f64,
}

/// One ratio.
#[derive(Debug, Serialize)]
pub struct Row {
    pub name: String,
    pub unit: &'static str,
    pub ours: f64,
    /// What it is compared with: a number of the same run, or a limit.
    pub against: f64,
    pub against_what: &'static str,
    pub ratio: f64,
    pub aim: String,
    pub holds: bool,
}

impl Report {
    /// `empty` is the address of the page the rollout page is compared with.
    pub fn new(
        machine: Machine,
        execution: Execution,
        load: Vec<Load>,
        empty: &str,
        weight: Vec<Weight>,
        seconds: f64,
    ) -> Self {
        let mut rows = vec![of_execution(&execution)];
        rows.extend(load.iter().map(of_rate));
        rows.extend(load.iter().map(of_p99));
        rows.extend(weight.iter().map(of_weight));
        let mut notes = vec![about_execution(&execution), about_load(&load, empty)];
        notes.extend(weight.iter().map(about_weight));
        notes.push(machine.sentence());
        Self {
            rows,
            notes,
            machine,
            execution,
            load,
            weight,
            seconds,
        }
    }

    /// The report as aligned text.
    pub fn text(&self) -> String {
        let head = ["measured", "Slipway", "against", "ratio", "aim", "holds"];
        let rows = self.rows.iter().map(|row| {
            [
                row.name.clone(),
                format!("{} {}", figure(row.ours), row.unit),
                format!("{} {} {}", figure(row.against), row.unit, row.against_what),
                format!("{:.3}", row.ratio),
                row.aim.clone(),
                if row.holds { "yes" } else { "no" }.to_owned(),
            ]
        });
        let rows: Vec<[String; 6]> = std::iter::once(head.map(str::to_owned))
            .chain(rows)
            .collect();
        let mut text = format!("\n{}\n", table(&rows));
        for note in &self.notes {
            text.push_str(&wrapped(note));
            text.push('\n');
        }
        text
    }
}

fn of_execution(execution: &Execution) -> Row {
    let (ours, against) = (execution.slipway(), execution.bare());
    let ratio = ratio(ours, against);
    Row {
        name: format!("{} hosts × {} tasks", execution.hosts, execution.tasks),
        unit: "s",
        ours,
        against,
        against_what: "ansible-playbook",
        ratio,
        aim: format!("≤ {OVERHEAD} or + {OVERHEAD_SECONDS} s"),
        holds: ratio <= OVERHEAD || ours - against <= OVERHEAD_SECONDS,
    }
}

fn of_rate(load: &Load) -> Row {
    let (ours, against) = (rate(&load.page), rate(&load.empty));
    let ratio = ratio(ours, against);
    Row {
        name: format!("rollout page, {}", load.with()),
        unit: "/s",
        ours,
        against,
        against_what: "empty page",
        ratio,
        aim: format!("≥ {RATE}"),
        holds: ratio >= RATE,
    }
}

fn of_p99(load: &Load) -> Row {
    let ours = p99(&load.page);
    Row {
        name: format!("rollout page, p99, {}", load.with()),
        unit: "ms",
        ours,
        against: P99,
        against_what: "limit",
        ratio: ratio(ours, P99),
        aim: format!("≤ {P99} ms"),
        holds: ours <= P99,
    }
}

fn of_weight(weight: &Weight) -> Row {
    let ours = weight.bytes() as f64;
    Row {
        name: format!("first page {}", weight.name()),
        unit: "kB",
        ours: ours / 1000.0,
        against: WEIGHT / 1000.0,
        against_what: "limit",
        ratio: ratio(ours, WEIGHT),
        aim: format!("≤ {} kB", WEIGHT / 1000.0),
        holds: ours <= WEIGHT,
    }
}

fn about_execution(execution: &Execution) -> String {
    let (before, after) = execution.around();
    let pairs: Vec<String> = execution
        .pairs
        .iter()
        .map(|pair| format!("{:.2}/{:.2}", pair.slipway.seconds, pair.bare_seconds))
        .collect();
    format!(
        "Execution: medians of {} pairs of a deploy of {} plain tasks on {} local hosts. Through Slipway it is the job's time \
         from queued to ended, as /api/v1/jobs/{{id}} tells it; without Slipway, the time of the process that the same command, inventory, \
         variables and environment make. Both begin without ssh connections. Slipway's time includes {before:.3} s \
         before the playbook's start and {after:.3} s after its supervisor's exit record. Pairs in s: {}.",
        execution.pairs.len(),
        execution.tasks,
        execution.hosts,
        pairs.join(" "),
    )
}

fn about_load(loads: &[Load], empty: &str) -> String {
    let mut text = format!(
        "Pages: wrk, signed in, compressed as for a browser, medians of runs of {SECONDS} s in turns. The rollout page is of a finished rollout in three batches; the empty page is {empty}, on the same route, with the frame and one sentence."
    );
    for load in loads {
        let _ = write!(
            text,
            " With {}: {:.1} kB against {:.1} kB an answer, p99 {:.1} ms against {:.1} ms.",
            load.with(),
            size(&load.page) / 1000.0,
            size(&load.empty) / 1000.0,
            p99(&load.page),
            p99(&load.empty),
        );
    }
    text
}

fn about_weight(weight: &Weight) -> String {
    let mut files: Vec<_> = weight.files.iter().collect();
    files.sort_by_key(|file| std::cmp::Reverse(file.bytes));
    let files: Vec<String> = files
        .into_iter()
        .map(|file| {
            let name = if file.kind == "document" {
                "the page itself"
            } else {
                file.path.as_str()
            };
            let plain = if file.encoding == "br" {
                ""
            } else {
                " (not in brotli)"
            };
            format!("{name} {:.1} kB{plain}", file.bytes as f64 / 1000.0)
        })
        .collect();
    format!(
        "First page {} in Chromium, nothing cached, bodies as sent: {}.",
        weight.name(),
        files.join(", ")
    )
}

/// The words of `note` in lines that fit a terminal, indented.
fn wrapped(note: &str) -> String {
    let mut text = String::new();
    let mut width = WIDTH;
    for word in note.split(' ') {
        let letters = word.chars().count() + 1;
        if width + letters > WIDTH {
            text.push_str(if text.is_empty() { "  " } else { "\n  " });
            width = 1 + letters;
        } else {
            text.push(' ');
            width += letters;
        }
        text.push_str(word);
    }
    text.push('\n');
    text
}

/// Three digits or more that mean something.
fn figure(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_wrapped_between_words() {
        let text = wrapped(&"word ".repeat(60));
        assert_eq!(text.split_whitespace().count(), 60);
        assert!(
            text.lines()
                .all(|line| line.starts_with("  word") && line.len() <= WIDTH + 1),
            "{text}"
        );
    }

    #[test]
    fn figures_have_the_digits_that_mean_something() {
        assert_eq!([1048.2, 26.04, 0.151].map(figure), ["1048", "26.0", "0.15"]);
    }
}
