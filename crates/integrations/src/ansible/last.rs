//! Where a run stood on each host when its events end.

use std::collections::BTreeMap;

use super::events::{self, EventKind, TaskStatus};
use crate::output::{OutputError, Text};

/// The last task that told of its end on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastTask {
    pub name: String,
    /// The how manieth of this host it was, from 1: a playbook may have two of one name.
    pub number: u32,
    pub status: TaskStatus,
    /// Unix milliseconds.
    pub at: i64,
}

/// The last task of each host, by name.
pub fn last_tasks(events: &mut Text) -> Result<BTreeMap<String, LastTask>, OutputError> {
    let mut last: BTreeMap<String, LastTask> = BTreeMap::new();
    events::each(events, 0..u64::MAX, |at, kind| {
        if let EventKind::Host {
            host, task, status, ..
        } = kind
            && status != TaskStatus::Skipped
        {
            let before = last.get(&host).map_or(0, |last| last.number);
            let last_task = LastTask {
                name: task,
                number: before.saturating_add(1),
                status,
                at,
            };
            last.insert(host, last_task);
        }
    })?;
    Ok(last)
}
