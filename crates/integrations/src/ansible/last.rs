//! Where a run stood on each host when its events end.

use std::collections::BTreeMap;

use super::events::{self, EventKind, TaskStatus};
use crate::output::{OutputError, Text};

/// The last task that told of its end on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastTask {
    pub name: String,
    /// The how manieth task of the run it was, from 1: a playbook may have two of one name.
    pub number: usize,
    pub status: TaskStatus,
    /// Unix milliseconds.
    pub at: i64,
}

/// The last task of each host, by name.
pub fn last_tasks(events: &mut Text) -> Result<BTreeMap<String, LastTask>, OutputError> {
    let (mut last, mut tasks) = (BTreeMap::new(), Vec::new());
    events::each(events, 0..u64::MAX, |at, kind| {
        if let EventKind::Task { task_id, .. } = kind {
            tasks.push(task_id);
        } else if let EventKind::Host {
            host,
            task,
            task_id,
            status,
            ..
        } = kind
            && status != TaskStatus::Skipped
        {
            // Hosts end the newest task, but for strategies that let each go on by itself.
            let place = tasks.iter().rposition(|id| *id == task_id);
            let last_task = LastTask {
                name: task,
                number: place.map_or(tasks.len(), |place| place + 1),
                status,
                at,
            };
            last.insert(host, last_task);
        }
    })?;
    Ok(last)
}
