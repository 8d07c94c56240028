//! Events of a file, for those who only look.

use std::{io, path::Path};

use super::{Event, EventKind};
use crate::tail;

/// Bytes read at once.
const CHUNK: usize = 1 << 20;

/// What the events in a file say, in their order; nothing of a file that is not there. Lines that are not understood are
/// passed over: what may be believed of a run is decided elsewhere.
pub fn each(path: &Path, mut take: impl FnMut(i64, EventKind)) -> io::Result<()> {
    let mut offset = 0;
    loop {
        let (bytes, next) = tail::read_whole(path, offset, CHUNK)?;
        if bytes.is_empty() {
            return Ok(());
        }
        for line in bytes.split(|byte| *byte == b'\n') {
            if let Ok(Event { t, kind, .. }) = serde_json::from_slice(line) {
                take(t, kind);
            }
        }
        offset = next;
    }
}
