//! What the bench found, as ratios, for people and for programs.

use std::fmt::Write as _;

use serde::Serialize;

use super::decision::Decisions;
use super::execution::Execution;
use super::load::{Load, SECONDS, p99, rate, size};
use super::output::Output;
use super::peers::Peer;
use super::queue::{AT_ONCE, JOBS, Queue, percentile};
use super::weight::Weight;
use super::{Machine, ratio};
use crate::demo::report::table;

/// Microseconds of a decision.
const DECISION: f64 = 50.0;
/// Slipway's share of an execution's time, or that many seconds, may come on top.
const OVERHEAD: f64 = 1.02;
const OVERHEAD_SECONDS: f64 = 0.1;
/// Answers per second of the rollout page over those of the empty page, at least.
const RATE: f64 = 0.25;
/// Milliseconds.
const P99: f64 = 20.0;
/// Bytes of a first page.
const WEIGHT: f64 = 300_000.0;
/// Milliseconds from queued to started.
const START_P50: f64 = 10.0;
const START_P99: f64 = 50.0;
/// Jobs without work that end in a second.
const DRAIN: f64 = 2_000.0;
/// Events taken in in a second.
const EVENTS: f64 = 20_000.0;
/// Milliseconds until lines of a long log are there.
const VIEW: f64 = 300.0;
/// Milliseconds from a line's printing until it stands in a browser.
const TO_BROWSER: f64 = 250.0;
/// What a browser uses after a long read over what it used after a tenth of it.
const HEAP: f64 = 1.2;
/// Slipway's search over the time of rg: half as fast is quick enough.
const SEARCH: f64 = 2.0;

/// Letters in a line of text, beside which there is a margin of one.
const WIDTH: usize = 118;

/// The result of one run.
#[derive(Debug, Serialize)]
pub struct Report {
    pub rows: Vec<Row>,
    /// What was measured, and how sure it is; one sentence or more each.
    pub notes: Vec<String>,
    /// Why parts were not measured.
    pub failed: Vec<String>,
    pub machine: Machine,
    pub decisions: Vec<Decisions>,
    pub execution: Option<Execution>,
    pub load: Vec<Load>,
    pub weight: Vec<Weight>,
    pub queues: Vec<Queue>,
    pub peers: Vec<Peer>,
    pub output: Option<Output>,
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

impl Row {
    /// What is to be at most so much.
    fn at_most(name: impl Into<String>, unit: &'static str, ours: f64, limit: f64) -> Self {
        Self {
            name: name.into(),
            unit,
            ours,
            against: limit,
            against_what: "limit",
            ratio: ratio(ours, limit),
            aim: format!("≤ {limit} {unit}"),
            holds: ours <= limit,
        }
    }

    /// What is to be at least so much.
    fn at_least(name: impl Into<String>, unit: &'static str, ours: f64, limit: f64) -> Self {
        Self {
            aim: format!("≥ {limit} {unit}"),
            holds: ours >= limit,
            ..Self::at_most(name, unit, ours, limit)
        }
    }

    /// What is only told, beside what a peer does.
    fn beside(
        name: impl Into<String>,
        unit: &'static str,
        ours: f64,
        peer: f64,
        who: &'static str,
    ) -> Self {
        Self {
            name: name.into(),
            unit,
            ours,
            against: peer,
            against_what: who,
            ratio: ratio(ours, peer),
            aim: "none".to_owned(),
            holds: true,
        }
    }
}

impl Report {
    pub fn new(machine: Machine) -> Self {
        Self {
            rows: Vec::new(),
            notes: Vec::new(),
            failed: Vec::new(),
            machine,
            decisions: Vec::new(),
            execution: None,
            load: Vec::new(),
            weight: Vec::new(),
            queues: Vec::new(),
            peers: Vec::new(),
            output: None,
            seconds: 0.0,
        }
    }

    pub fn decisions(&mut self, decisions: Decisions) {
        let Decisions { grants, took_us } = &decisions;
        for (name, share) in [("p50", 0.5), ("p99", 0.99)] {
            let name = format!("decision, {name}, by {grants} roles");
            let took = percentile(took_us, share);
            self.rows.push(Row::at_most(name, "µs", took, DECISION));
        }
        self.decisions.push(decisions);
    }

    pub fn execution(&mut self, execution: Execution) {
        self.rows.push(of_execution(&execution));
        let beside = |(who, seconds): &(&'static str, f64)| {
            Row::beside("  the same", "s", execution.slipway(), *seconds, who)
        };
        self.rows.extend(execution.peers.iter().map(beside));
        self.notes.push(about_execution(&execution));
        self.execution = Some(execution);
    }

    /// `empty` is the address of the page the rollout page is compared with.
    pub fn load(&mut self, load: Vec<Load>, empty: &str) {
        self.rows.extend(load.iter().map(of_rate));
        self.rows.extend(load.iter().map(of_p99));
        self.notes.push(about_load(&load, empty));
        self.load = load;
    }

    pub fn weight(&mut self, weight: Vec<Weight>) {
        self.rows.extend(weight.iter().map(of_weight));
        self.notes.extend(weight.iter().map(about_weight));
        self.weight = weight;
    }

    pub fn queue(&mut self, queue: Queue) {
        let on = queue.database;
        let (half, most) = (queue.percentile(0.5), queue.percentile(0.99));
        self.rows.extend([
            Row::at_most(
                format!("queued → started, p50, {on}"),
                "ms",
                half,
                START_P50,
            ),
            Row::at_most(
                format!("queued → started, p99, {on}"),
                "ms",
                most,
                START_P99,
            ),
            Row::at_least(
                format!("jobs without work, {on}"),
                "/s",
                queue.jobs_per_second,
                DRAIN,
            ),
        ]);
        self.notes.push(about_queue(&queue));
        self.queues.push(queue);
    }

    /// A peer of the queue that was measured last.
    pub fn peer(&mut self, peer: Peer, who: &'static str) {
        if let Some(queue) = self.queues.last() {
            self.rows.extend([
                Row::beside(
                    "  the same, p50",
                    "ms",
                    queue.percentile(0.5),
                    peer.p50_ms,
                    who,
                ),
                Row::beside(
                    "  the same, p99",
                    "ms",
                    queue.percentile(0.99),
                    peer.p99_ms,
                    who,
                ),
                Row::beside(
                    "  the same, jobs",
                    "/s",
                    queue.jobs_per_second,
                    peer.jobs_per_second,
                    who,
                ),
            ]);
        }
        self.peers.push(peer);
    }

    pub fn output(&mut self, output: Output) {
        self.rows.extend([
            Row::at_least("events taken in", "/s", output.events_per_second, EVENTS),
            Row::at_most("first view of a long log", "ms", output.first_view_ms, VIEW),
            Row::at_most("its last lines", "ms", output.last_view_ms, VIEW),
            Row {
                aim: format!("≤ {SEARCH}"),
                holds: output.search_seconds <= SEARCH * output.rg_seconds,
                ..Row::beside(
                    "search in it",
                    "s",
                    output.search_seconds,
                    output.rg_seconds,
                    "rg on the raw file",
                )
            },
            Row::at_most(
                "line → browser, p99",
                "ms",
                percentile(&output.to_browser_ms, 0.99),
                TO_BROWSER,
            ),
            Row {
                aim: format!("≤ {HEAP}"),
                holds: output.heap.1 <= HEAP * output.heap.0,
                ..Row::beside(
                    "browser's memory",
                    "MB",
                    output.heap.1 / 1e6,
                    output.heap.0 / 1e6,
                    "early on",
                )
            },
        ]);
        self.notes.push(about_output(&output));
        self.output = Some(output);
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
        let failed = self.failed.iter().map(|why| format!("Not measured: {why}"));
        let notes = self.notes.iter().cloned().chain(failed);
        for note in notes.chain([self.machine.sentence()]) {
            text.push_str(&wrapped(&note));
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

fn about_queue(queue: &Queue) -> String {
    format!(
        "Queue on {}: {} jobs, one at a time on a console that is idle otherwise, from queued_at (before its commit) until the \
         playbook's process was started; then {JOBS} jobs of one rollout, of which none has hosts left to run on: each is claimed, \
         ended and written into the audit trail, {AT_ONCE} at once, but no process is started. {:.0} a second were also taken \
         into account by their rollout, many in one change. Peers run 8 or {AT_ONCE} at once, whichever they are quicker with; of \
         Prefect's background tasks 200 are counted.",
        queue.database,
        queue.starts_ms.len(),
        queue.taken_in_per_second,
    )
}

fn about_output(output: &Output) -> String {
    format!(
        "Output: a stand-in for the playbook told {} events in the mix of a play of ten tasks, one write each; measured from its \
         start to the end of its job. Another printed {} lines ({:.0} MB). The log is read through the page's own functions; \
         rg finds the same single line in the same text. A browser read on in it for 100,000 lines; another followed a job that \
         printed a line every 20 ms, and {} of them came while it looked, half of them within {:.0} ms.",
        output.events,
        output.lines,
        output.bytes as f64 / 1e6,
        output.to_browser_ms.len(),
        percentile(&output.to_browser_ms, 0.5),
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
