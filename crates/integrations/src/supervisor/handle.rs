//! The server's side: start a supervisor, find out what became of it, ask it to stop.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use rustix::process::Signal;
use scopeguard::ScopeGuard;

use super::{
    MARKER,
    launcher::LaunchError,
    names,
    proc::{ProcessId, boot, end_survivors},
    spec::{Begun, Exit, RecordError, Spec, load},
};
use crate::file;

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// It ended and said how; all its output is stored.
    Finished(Exit),
    /// Its supervisor lives; `None` before it has begun.
    Running {
        supervisor: Option<ProcessId>,
        child: Option<ProcessId>,
    },
    /// Nothing was started: it may be launched again.
    NeverBegan,
    /// It began and its supervisor is gone without a word. Nothing of it runs here any more; how far it came is unknown.
    Lost,
}

/// Why it could not be found out what became of an attempt. Ask again later.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error("Processes of the lost run in {folder} cannot be ended; look for {MARKER}={folder} in their environment.", folder = .0.display())]
    Survivors(PathBuf),
}

/// Writes the spec; creates the folder (mode 0700) if need be. May be repeated until the run has begun.
pub fn prepare(folder: &Path, spec: &Spec) -> Result<(), LaunchError> {
    file::private_folder(folder).map_err(|error| RecordError::write(folder, error))?;
    refuse_second_start(folder)?;
    // Until the run has begun nothing is lost with it: then the job is queued again.
    let path = folder.join(names::SPEC);
    let written = serde_json::to_vec(spec)
        .map_err(Into::into)
        .and_then(|bytes| file::put(&path, &bytes));
    written.map_err(|error: io::Error| RecordError::write(&path, error).into())
}

/// Finds out what became of the run in `folder`. Ends what is left of a lost one, which may take seconds: call it
/// where blocking is allowed. The answer stays the same until something happens.
pub fn inspect(folder: &Path) -> Result<Found, InspectError> {
    let folder = &std::path::absolute(folder).map_err(|error| RecordError::read(folder, error))?;
    // What cannot be looked at is not gone.
    let there = folder
        .try_exists()
        .map_err(|error| RecordError::read(folder, error))?;
    if !there {
        // Somebody may have removed it: what was there cannot be known, but what still runs says where it belongs.
        return if end_survivors(None, MARKER, &folder.to_string_lossy()) {
            Ok(Found::Lost)
        } else {
            Err(InspectError::Survivors(folder.clone()))
        };
    }
    // The record first: a supervisor writes it while it still holds the lock.
    if let Some(exit) = load(folder, names::EXIT)? {
        return Ok(Found::Finished(exit));
    }
    let Some(_lock) = lock(folder)? else {
        let begun: Option<Begun> = load(folder, names::BEGUN)?;
        return Ok(Found::Running {
            supervisor: begun.as_ref().map(|begun| begun.supervisor),
            child: begun.and_then(|begun| begun.child),
        });
    };
    // The supervisor is gone, so these no longer change; it may have finished since the first look.
    if let Some(exit) = load(folder, names::EXIT)? {
        return Ok(Found::Finished(exit));
    }
    let Some(begun) = load::<Begun>(folder, names::BEGUN)? else {
        return Ok(Found::NeverBegan);
    };
    let now = boot();
    let restarted = !now.is_empty() && begun.boot != now;
    let ended = restarted || end_survivors(begun.child, MARKER, &folder.to_string_lossy());
    if ended {
        Ok(Found::Lost)
    } else {
        Err(InspectError::Survivors(folder.clone()))
    }
}

/// Asks the supervisor to end the run, now or, if it has not begun, before it does. Returns at once; [`inspect`] until
/// it is finished. May be repeated; does nothing to a run that has ended.
pub fn cancel(folder: &Path) -> Result<(), RecordError> {
    let path = folder.join(names::CANCEL);
    let written = file::replace(&path, b"").map_err(|error| RecordError::write(&path, error));
    // A supervisor that has not begun looks for the file when it has; one that has begun listens for the signal, also
    // when the disk takes no file any more.
    if let Some(begun) = load::<Begun>(folder, names::BEGUN)? {
        begun.supervisor.signal(Signal::TERM);
    }
    written
}

pub(super) fn refuse_second_start(folder: &Path) -> Result<(), LaunchError> {
    if may_have_begun(folder) {
        return Err(LaunchError::BegunBefore(folder.to_owned()));
    }
    Ok(())
}

/// Whether a run began in this folder, or it cannot be told.
pub fn may_have_begun(folder: &Path) -> bool {
    let absent = |name| matches!(folder.join(name).try_exists(), Ok(false));
    !(absent(names::BEGUN) && absent(names::EXIT))
}

/// Unlocked when dropped, not only closed: a process that is being started has a copy of every open file until it becomes
/// its program, and would hold the lock as long.
pub(super) type FolderLock = ScopeGuard<File, fn(File)>;

/// The lock of a folder, locked; `None` when somebody else holds it.
pub(super) fn lock(folder: &Path) -> Result<Option<FolderLock>, RecordError> {
    let path = folder.join(names::LOCK);
    let failed = |error| RecordError::write(&path, error);
    let lock = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => Ok(Some(scopeguard::guard(lock, |lock| {
            let _ = lock.unlock();
        }))),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}
