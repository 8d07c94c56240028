//! Jobs and their output.

use domain::{
    Timestamp,
    attempt::AttemptState,
    id::{JobId, RolloutId},
    job::JobKind,
};
use serde::{Deserialize, Serialize};

use crate::access::Allowance;

/// One job with its newest attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRow {
    pub id: JobId,
    pub rollout: RolloutId,
    pub service: String,
    pub environment: String,
    pub version: String,
    pub kind: JobKind,
    pub batch: u32,
    pub state: AttemptState,
    #[serde(with = "domain::moment")]
    pub queued_at: Timestamp,
    #[serde(with = "domain::moment::maybe")]
    pub started_at: Option<Timestamp>,
    #[serde(with = "domain::moment::maybe")]
    pub ended_at: Option<Timestamp>,
    /// Why it ended badly; empty otherwise.
    pub message: String,
    /// Who asked for it to be stopped.
    pub cancelled: Option<JobCancelled>,
}

/// Who asked for a job to be stopped, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobCancelled {
    pub by: String,
    pub reason: String,
    #[serde(with = "domain::moment")]
    pub at: Timestamp,
}

/// One job, and whether it may be stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobView {
    pub job: JobRow,
    /// What it waits for while it is queued, as a sentence; empty afterwards.
    pub waits_for: String,
    /// When its output was removed, because it was old.
    #[serde(with = "domain::moment::maybe")]
    pub output_removed_at: Option<Timestamp>,
    /// Number of the first line that tells of a failure, where it ended badly.
    pub first_failure: Option<u64>,
    pub cancel: Allowance,
}

/// All that the page of a job shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobPage {
    pub view: JobView,
    pub times: JobTimes,
    /// Of a dry run; empty of another job.
    pub foreseen: Foreseen,
    /// Or why the output cannot be read just now, and what to do.
    pub output: Result<LogPage, String>,
    /// What was found, where something was searched for; or why not.
    pub found: Option<Result<LogFound, String>>,
    /// The output by task, where that was asked for, or why not; its lines otherwise.
    pub tasks: Option<Result<JobTasks, String>>,
}

/// What is wanted of the page of a job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobPageWish {
    /// Lines from this one on, at most so many.
    pub from: u64,
    pub limit: u32,
    /// What to search for, from line `after` on.
    pub find: String,
    pub after: u64,
    /// The output by task.
    pub by_task: bool,
}

/// An output by play, task and host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobTasks {
    pub plays: Vec<PlayGroup>,
    /// There are more tasks than are told.
    pub more: bool,
}

/// A play with its tasks, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlayGroup {
    pub name: String,
    pub tasks: Vec<TaskGroup>,
}

/// A task, and how it ended on its hosts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskGroup {
    pub name: String,
    /// When it began.
    #[serde(with = "domain::moment::maybe")]
    pub at: Option<Timestamp>,
    pub ok: u64,
    pub changed: u64,
    /// Unreachable ones are among them.
    pub failed: u64,
    pub skipped: u64,
    /// Where its lines begin in the output, and how many there are.
    pub line: Option<u64>,
    pub lines: u64,
    /// Trouble first; some of many.
    pub hosts: Vec<TaskHost>,
    /// Hosts that are not among them.
    pub more: u64,
}

/// How a task ended on one host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskHost {
    pub host: String,
    pub status: String,
    /// It failed, or the host was not reached.
    pub bad: bool,
    pub ms: u64,
    /// Why, of a bad one.
    pub message: String,
}

/// What a job did on its hosts, and how long its tasks took.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobTimes {
    /// The troubled ones first, then the slowest; some of many.
    pub hosts: Vec<HostTimes>,
    /// Hosts that are not among them.
    pub more: u32,
    /// In the order in which they began.
    pub tasks: Vec<TaskTimes>,
}

/// Tasks of one host by how they ended, and the milliseconds they took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostTimes {
    pub name: String,
    pub ok: u64,
    pub changed: u64,
    pub failed: u64,
    pub unreachable: u64,
    pub skipped: u64,
    pub ms: u64,
}

/// How long one task took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskTimes {
    pub name: String,
    /// On which it ended, skipped ones left out.
    pub hosts: u64,
    pub failed: u64,
    /// The host it took longest on, and how many milliseconds.
    pub slowest: String,
    pub slowest_ms: u64,
}

/// A range of output lines, numbered from 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPage {
    pub job: JobId,
    pub lines: Vec<LogLine>,
    /// Number of the line after the last one given; ask from here to go on.
    pub next: u64,
    /// Lines there are so far.
    pub total: u64,
    /// No more lines will come.
    pub ended: bool,
}

/// Lines of output that hold what was searched for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogFound {
    pub lines: Vec<LogLine>,
    /// The search stopped before this line; search from here to go on.
    pub next: Option<u64>,
}

/// One line of output, colours kept as ANSI codes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    pub number: u64,
    pub text: String,
}

/// What a dry run says that a deploy would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Foreseen {
    /// Those that would change or refuse, by name.
    pub hosts: Vec<ForeseenHost>,
    /// How many more there are.
    pub more: u32,
}

/// One host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeseenHost {
    pub name: String,
    pub changes: Vec<ForeseenChange>,
}

/// One task of a deploy on one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeseenChange {
    pub task: String,
    /// Before and after as a unified diff; empty where the task does not tell.
    pub diff: String,
    /// Why the deploy would fail here; empty otherwise.
    pub refusal: String,
}
