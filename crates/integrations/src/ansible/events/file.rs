//! Events of a run, for those who only look.

use std::ops::Range;

use super::{Event, EventKind};
use crate::output::{OutputError, Text};

/// Bytes read at once.
const CHUNK: usize = 4 << 20;

/// What the events of a run say and when (Unix milliseconds), in their order, from the byte at which `range` starts to about
/// where it ends; gives the byte to go on from. Lines that are not understood are passed over: what may be believed of a run
/// is decided elsewhere.
pub fn each(
    events: &mut Text,
    range: Range<u64>,
    mut take: impl FnMut(i64, EventKind),
) -> Result<u64, OutputError> {
    let mut offset = range.start;
    while offset < range.end {
        let (bytes, next) = events.lines(offset, CHUNK)?;
        if bytes.is_empty() {
            break;
        }
        for line in bytes.split(|byte| *byte == b'\n') {
            if let Ok(Event { t, kind, .. }) = serde_json::from_slice(line) {
                take(t, kind);
            }
        }
        offset = next;
    }
    Ok(offset)
}
