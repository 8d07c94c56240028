//! What to run, that it began, and how it ended.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    names,
    proc::ProcessId,
    redact::{PatternError, pattern},
};
use crate::file;

/// What a supervisor runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// Program and arguments; never read by a shell.
    pub argv: Vec<String>,
    /// The child's whole environment; nothing else is inherited.
    pub env: BTreeMap<String, String>,
    pub cwd: PathBuf,
    /// The child is ended this long after it began.
    #[serde(rename = "deadline_ms", with = "millis")]
    pub deadline_after: Duration,
    /// How long the child may take to end by itself once asked, before everything it started is killed.
    #[serde(rename = "grace_ms", with = "millis")]
    pub grace: Duration,
    /// Texts that never reach a stored line. Shorter ones than [`Spec::SHORTEST_REDACTION`] bytes are left: they would
    /// blot out ordinary words. Removed from the stored spec as soon as the supervisor has read it.
    pub redact: Vec<String>,
    /// Give the child a pipe for events, its number in `SLIPWAY_EVENT_FD`.
    pub event_fd: bool,
    /// Files and folders that nobody needs once the child has ended (sockets, temporary files); removed then.
    #[serde(default)]
    pub scratch: Vec<PathBuf>,
    #[serde(default)]
    pub output: OutputRules,
}

/// How much of the output is stored, and what is masked in output and events besides [`Spec::redact`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputRules {
    /// Mask what looks like a secret: passwords, keys, tokens.
    pub well_known: bool,
    /// Mask what these regular expressions match; [`OutputRules::check`] them before.
    pub patterns: Vec<String>,
    /// Bytes of output that are stored; the rest is read and dropped.
    pub most_bytes: u64,
}

impl Default for OutputRules {
    fn default() -> Self {
        Self {
            well_known: true,
            patterns: Vec::new(),
            most_bytes: 1 << 30,
        }
    }
}

impl OutputRules {
    /// Bytes that a pattern may match at most.
    pub const LONGEST_MATCH: usize = 1000;

    /// Refuses patterns that cannot be used.
    pub fn check(&self) -> Result<(), PatternError> {
        self.patterns
            .iter()
            .try_for_each(|text| pattern(text).map(drop))
    }
}

impl Spec {
    pub const SHORTEST_REDACTION: usize = 4;
}

/// Written before the child is started; written again with the child's identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Begun {
    pub supervisor: ProcessId,
    pub child: Option<ProcessId>,
    /// Identity of the boot: after a restart of the machine nothing survives, whatever the process numbers say.
    pub boot: String,
}

/// How the child ended. The record is written when all its output is stored and none of its processes is left.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Exit {
    /// `None` when a signal ended it or it never started.
    pub code: Option<i32>,
    pub signal: Option<i32>,
    /// Ended by the deadline.
    pub timed_out: bool,
    /// Ended because the server asked.
    pub cancelled: bool,
    /// Ended because somebody else stopped the supervisor, such as a shutdown of the machine.
    pub interrupted: bool,
    /// Some output or events could not be stored, as on a full disk.
    pub output_incomplete: bool,
    /// Why the child could not be started at all; nothing was run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_started: Option<String>,
    /// When, in Unix milliseconds.
    pub at: i64,
}

impl Exit {
    /// The child came to its own end, good or bad.
    pub const fn by_itself(&self) -> bool {
        self.code.is_some() && !self.timed_out && !self.cancelled && !self.interrupted
    }
}

/// A record in an attempt's folder that could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{path} could not be {done}: {why}. See that the data directory is on a healthy disk with free space and belongs to the user that runs Slipway.", path = path.display())]
pub struct RecordError {
    path: PathBuf,
    done: &'static str,
    why: String,
}

impl RecordError {
    pub(crate) fn read(path: &Path, why: impl ToString) -> Self {
        Self {
            path: path.to_owned(),
            done: "read",
            why: why.to_string(),
        }
    }

    pub(crate) fn write(path: &Path, why: impl ToString) -> Self {
        Self {
            path: path.to_owned(),
            done: "written",
            why: why.to_string(),
        }
    }
}

pub(super) fn load<T: DeserializeOwned>(
    folder: &Path,
    name: &str,
) -> Result<Option<T>, RecordError> {
    let path = folder.join(name);
    let Some(bytes) =
        file::read_if_there(&path).map_err(|error| RecordError::read(&path, error))?
    else {
        return Ok(None);
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| RecordError::read(&path, error))
}

pub(super) fn save<T: Serialize>(folder: &Path, name: &str, record: &T) -> Result<(), RecordError> {
    let path = folder.join(name);
    let bytes = serde_json::to_vec(record).map_err(|error| RecordError::write(&path, error))?;
    file::replace(&path, &bytes).map_err(|error| RecordError::write(&path, error))
}

/// Room for the exit record, taken while there is some: on a disk that has filled up, it can still be written.
pub(super) struct ReservedExit {
    path: PathBuf,
    draft: PathBuf,
}

impl ReservedExit {
    const ROOM: usize = 4096;

    pub fn new(folder: &Path) -> Result<Self, RecordError> {
        let path = folder.join(names::EXIT);
        let draft = file::draft_of(&path);
        let failed = |error| RecordError::write(&draft, error);
        std::fs::write(&draft, [b' '; Self::ROOM]).map_err(failed)?;
        Ok(Self { draft, path })
    }

    pub fn write(self, exit: &Exit) -> Result<(), RecordError> {
        let failed = |error: std::io::Error| RecordError::write(&self.path, error);
        let mut bytes =
            serde_json::to_vec(exit).map_err(|error| RecordError::write(&self.path, error))?;
        // Spaces after a JSON document mean nothing, so the room is simply written over, and none is asked for.
        bytes.resize(bytes.len().max(Self::ROOM), b' ');
        let mut record = std::fs::OpenOptions::new()
            .write(true)
            .open(&self.draft)
            .map_err(failed)?;
        std::io::Write::write_all(&mut record, &bytes).map_err(failed)?;
        record.sync_all().map_err(failed)?;
        file::publish(&self.draft, &self.path).map_err(failed)
    }
}

mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        u64::try_from(value.as_millis())
            .unwrap_or(u64::MAX)
            .serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}
