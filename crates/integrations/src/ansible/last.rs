//! Where a run stood on each host when its events end.

use std::{collections::BTreeMap, io, path::Path};

use super::events::{self, EventKind, TaskStatus};

/// The last task that told of its end on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastTask {
    pub name: String,
    pub status: TaskStatus,
    /// Unix milliseconds.
    pub at: i64,
}

/// The last task of each host, by name.
pub fn last_tasks(path: &Path) -> io::Result<BTreeMap<String, LastTask>> {
    let mut last = BTreeMap::new();
    events::each(path, |at, kind| {
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
