//! Where a run stood on each host when its events end.

use std::collections::BTreeMap;

use super::events::{self, EventKind, TaskStatus};
use crate::output::{OutputError, Text};

/// The last task that told of its end on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastTask {
    pub name: String,
    pub status: TaskStatus,
    /// Unix milliseconds.
    pub at: i64,
}

/// The last task of each host, by name.
pub fn last_tasks(events: &mut Text) -> Result<BTreeMap<String, LastTask>, OutputError> {
    let mut last = BTreeMap::new();
    events::each(events, 0..u64::MAX, |at, kind| {
        if let EventKind::Host {
            host, task, status, ..
        } = kind
            && status != TaskStatus::Skipped
        {
            let name = task;
            last.insert(host, LastTask { name, status, at });
        }
    })?;
    Ok(last)
}
