//! Where a run stood on each host when its events end.

use std::{collections::BTreeMap, io, path::Path};

use super::events::{Event, EventKind, TaskStatus};
use crate::tail;

/// The last task that told of its end on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastTask {
    pub name: String,
    pub status: TaskStatus,
    /// Unix milliseconds.
    pub at: i64,
}

/// Bytes of events read at once.
const CHUNK: usize = 1 << 20;

/// The last task of each host, by name; none of a file that is not there. Lines that are not understood are passed over.
pub fn last_tasks(events: &Path) -> io::Result<BTreeMap<String, LastTask>> {
    let mut last = BTreeMap::new();
    let mut offset = 0;
    loop {
        let (bytes, next) = tail::read_whole(events, offset, CHUNK)?;
        if bytes.is_empty() {
            return Ok(last);
        }
        for line in bytes.split(|byte| *byte == b'\n') {
            let Ok(Event { t, kind, .. }) = serde_json::from_slice(line) else {
                continue;
            };
            if let EventKind::Host {
                host, task, status, ..
            } = kind
                && status != TaskStatus::Skipped
            {
                let (name, at) = (task, t);
                last.insert(host, LastTask { name, status, at });
            }
        }
        offset = next;
    }
}
