//! What is known of outputs without reading them again: where lines start, and sums of what they say.

use std::{
    cmp::Reverse,
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use domain::id::AttemptId;
use integrations::{
    ansible::{
        events,
        timings::{TaskTime, Timings},
    },
    file,
    output::{OutputError, Shelf, Text},
    supervisor::names,
};
use serde::{Deserialize, Serialize};
use view::job::{HostTimes, JobTimes, TaskTimes};

use super::{
    FAILURE,
    lines::{LineIndex, Lines},
};

/// Attempts that are remembered; what was forgotten is counted again when somebody comes back to it.
const KEPT: usize = 256;
/// Hosts of a job whose times are told.
const MOST_HOSTS: usize = 50;
/// Bytes in which the first failure is looked for.
const GLANCED: u64 = 256 << 20;
/// Where the summary of an ended run is kept in its folder.
const SUMMARY: &str = "summary.json";

/// What is remembered of the outputs that are being read.
#[derive(Debug, Default)]
pub(crate) struct Outputs(Mutex<HashMap<AttemptId, Arc<Mutex<Kept>>>>);

#[derive(Debug, Default)]
struct Kept {
    index: LineIndex,
    timings: Timings,
    /// Bytes of events that the timings have seen.
    offset: u64,
}

/// What a run's output and events come to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Summary {
    pub times: JobTimes,
    /// Number of the first line that tells of a failure.
    pub first_failure: Option<u64>,
}

impl Outputs {
    /// Works with the lines of one output. Whoever else reads one that grows waits for what is being counted instead of
    /// counting it as well.
    pub(super) fn lines<T>(
        &self,
        attempt: AttemptId,
        text: &mut Text,
        work: impl FnOnce(Lines<'_>) -> Result<T, OutputError>,
    ) -> Result<T, OutputError> {
        if text.sealed_lines().is_some() {
            return work(Lines::new(text, &mut LineIndex::default())?);
        }
        self.with(attempt, |kept| work(Lines::new(text, &mut kept.index)?))
    }

    /// Sums of a run that goes on: of what it has reported since it was last asked for.
    pub fn times_so_far(
        &self,
        attempt: AttemptId,
        folder: &Path,
        shelf: &Shelf,
    ) -> Result<JobTimes, OutputError> {
        self.with(attempt, |kept| {
            let mut events = Text::open(folder, names::EVENTS, shelf)?;
            kept.offset = events::each(&mut events, kept.offset..u64::MAX, |_, kind| {
                kept.timings.take(kind);
            })?;
            Ok(times(kept.timings.clone()))
        })
    }

    /// The summary of a run that has ended; it is made once and then kept beside the output.
    pub fn summary(
        &self,
        attempt: AttemptId,
        folder: &Path,
        shelf: &Shelf,
    ) -> Result<Summary, OutputError> {
        let path = folder.join(SUMMARY);
        self.with(attempt, |kept| {
            // One that is damaged, or of another version of Slipway, is made again.
            if let Ok(Some(bytes)) = file::read_if_there(&path)
                && let Ok(summary) = serde_json::from_slice(&bytes)
            {
                return Ok(summary);
            }
            let mut timings = Timings::default();
            let mut events = Text::open(folder, names::EVENTS, shelf)?;
            events::each(&mut events, 0..u64::MAX, |_, kind| timings.take(kind))?;
            let mut output = Text::open(folder, names::OUTPUT, shelf)?;
            let mut lines = Lines::new(&mut output, &mut kept.index)?;
            let failure = match FAILURE.as_ref() {
                Some(pattern) => lines.find(pattern, 1, 1, GLANCED)?.lines,
                None => Vec::new(),
            };
            let summary = Summary {
                times: times(timings),
                first_failure: failure.first().map(|line| line.number),
            };
            let bytes = serde_json::to_vec(&summary).unwrap_or_default();
            if output.exists()
                && let Err(error) = file::replace(&path, &bytes)
            {
                tracing::debug!(%attempt, %error, "the summary of an output was not kept");
            }
            Ok(summary)
        })
    }

    fn with<T>(&self, attempt: AttemptId, work: impl FnOnce(&mut Kept) -> T) -> T {
        let one = {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() >= KEPT && !kept.contains_key(&attempt) {
                kept.retain(|_, one| Arc::strong_count(one) > 1);
            }
            Arc::clone(kept.entry(attempt).or_default())
        };
        let mut one = one.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut one)
    }
}

fn times(timings: Timings) -> JobTimes {
    let Timings { hosts, tasks } = timings;
    let all = hosts.len();
    let mut hosts: Vec<HostTimes> = hosts
        .into_iter()
        .map(|(name, time)| HostTimes {
            name,
            ok: time.ended.ok,
            changed: time.ended.changed,
            failed: time.ended.failed,
            unreachable: time.ended.unreachable,
            skipped: time.ended.skipped,
            ms: time.ms,
        })
        .collect();
    hosts.sort_by_key(|host| Reverse((host.failed + host.unreachable > 0, host.ms)));
    hosts.truncate(MOST_HOSTS);
    let task = |task: TaskTime| TaskTimes {
        name: task.name,
        hosts: task.hosts,
        failed: task.failed,
        slowest: task.slowest,
        slowest_ms: task.slowest_ms,
    };
    JobTimes {
        more: u32::try_from(all - hosts.len()).unwrap_or(u32::MAX),
        hosts,
        tasks: tasks.into_iter().map(task).collect(),
    }
}
