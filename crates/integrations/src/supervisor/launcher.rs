//! Starts supervisors: one is kept ready, since a process takes longer to start than everything else there is to do.

use std::{
    ffi::OsString,
    fs::{File, OpenOptions},
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::{
        fd::{AsFd as _, BorrowedFd, OwnedFd},
        unix::{
            ffi::{OsStrExt as _, OsStringExt as _},
            fs::OpenOptionsExt as _,
            process::CommandExt as _,
        },
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, MutexGuard, TryLockError},
    thread,
};

use rustix::{
    cmsg_space,
    io::retry_on_intr,
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
        SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
    },
};
use scopeguard::ScopeGuard;

use super::{
    handle::{lock, refuse_second_start},
    names,
    spec::RecordError,
};

/// The lock of a folder, and where to complain.
type Files<'a> = [BorrowedFd<'a>; 2];

/// Why a supervisor was not started.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    #[error("The run in {folder} already has a supervisor.", folder = .0.display())]
    Running(PathBuf),
    #[error("The run in {folder} has begun before and is not started twice.", folder = .0.display())]
    BegunBefore(PathBuf),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error("The supervisor {exe} could not be started: {why}. See that the machine has free processes and memory.", exe = exe.display())]
    Spawn { exe: PathBuf, why: io::Error },
}

/// Starts `exe supervise` for each run. Give `/proc/self/exe` for the running program, which works even after its file was
/// replaced.
pub struct Launcher {
    exe: PathBuf,
    spare: Mutex<Option<Supervisor>>,
}

impl Launcher {
    pub const fn new(exe: PathBuf) -> Self {
        Self {
            exe,
            spare: Mutex::new(None),
        }
    }

    /// Has a supervisor ready for the next run; it ends by itself when this process does. Does nothing if there is one, or
    /// one is being started, and nothing depends on it: without one a run starts some milliseconds later.
    pub fn make_ready(&self) {
        let Some(mut spare) = self.spare() else {
            return;
        };
        // Somebody may have ended it; then it was waited for with this.
        let is_there = spare
            .as_mut()
            .is_some_and(|spare| matches!(spare.child.try_wait(), Ok(None)));
        if !is_there {
            *spare = Supervisor::start(&self.exe).ok();
        }
    }

    /// The place of the one that is ready, unless one is being started: nobody waits for that.
    fn spare(&self) -> Option<MutexGuard<'_, Option<Supervisor>>> {
        match self.spare.try_lock() {
            Ok(spare) => Some(spare),
            Err(TryLockError::Poisoned(spare)) => Some(spare.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Lets a supervisor run what `folder` is prepared for and returns at once; the supervisor goes on if this process ends.
    /// One caller at a time for one folder. Calls `ended` when the supervisor is gone, if this process is still there to see
    /// it.
    pub fn launch(
        &self,
        folder: &Path,
        ended: impl FnOnce() + Send + 'static,
    ) -> Result<(), LaunchError> {
        let folder =
            std::path::absolute(folder).map_err(|error| RecordError::write(folder, error))?;
        refuse_second_start(&folder)?;
        // Locked from before the launch, so that there is no moment in which the run looks abandoned.
        let lock = lock(&folder)?.ok_or_else(|| LaunchError::Running(folder.clone()))?;
        // Now that nobody else can begin it, for certain.
        refuse_second_start(&folder)?;
        let path = folder.join(names::SUPERVISOR_LOG);
        let complaints = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| RecordError::write(&path, error))?;
        let files = [lock.as_fd(), complaints.as_fd()];
        let mut child = self.tell(&folder, &files)?;
        // Only closed here: it is the supervisor's now.
        drop(ScopeGuard::into_inner(lock));
        // Somebody has to wait for it, or it stays behind as a zombie while the server lives.
        let waiter = thread::Builder::new()
            .name("supervisor-wait".to_owned())
            .stack_size(64 * 1024);
        let wait = move || {
            let _ = child.wait();
            ended();
        };
        if let Err(error) = waiter.spawn(wait) {
            tracing::warn!(%error, "no thread to wait for a supervisor; it will stay in the process list once it ends");
        }
        Ok(())
    }

    /// Tells the supervisor that is ready what to run, or a new one.
    fn tell(&self, folder: &Path, files: &Files<'_>) -> Result<Child, LaunchError> {
        let ready = self.spare().and_then(|mut spare| spare.take());
        if let Some(mut ready) = ready {
            if ready.tell(folder, files).is_ok() {
                return Ok(ready.child);
            }
            // Somebody ended it; what nobody received was not begun.
            let _ = ready.child.kill();
            let _ = ready.child.wait();
        }
        let new = Supervisor::start(&self.exe).map_err(|why| LaunchError::Spawn {
            exe: self.exe.clone(),
            why,
        })?;
        if let Err(error) = new.tell(folder, files) {
            // It ended at once. Whoever looks at the folder finds that the run never began.
            tracing::warn!(%error, folder = %folder.display(), "a supervisor ended before it was told what to run");
        }
        Ok(new.child)
    }
}

/// A supervisor that waits to be told what to run.
struct Supervisor {
    child: Child,
    /// Its standard input. Once this end is closed, it has nothing to wait for, and ends.
    line: OwnedFd,
}

impl Supervisor {
    fn start(exe: &Path) -> io::Result<Self> {
        // Each message arrives whole or not at all.
        let (line, theirs) = socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )?;
        let child = Command::new(exe)
            // What the list of processes shows, whatever way leads to the program.
            .arg0("slipway")
            .arg("supervise")
            .env_clear()
            .current_dir("/")
            .stdin(theirs)
            .stdout(Stdio::null())
            // Until it has a folder to complain in.
            .stderr(Stdio::inherit())
            .spawn()?;
        Ok(Self { child, line })
    }

    /// Hands the folder over, with its open files.
    fn tell(&self, folder: &Path, files: &Files<'_>) -> io::Result<()> {
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(2))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(files));
        let folder = [IoSlice::new(folder.as_os_str().as_bytes())];
        retry_on_intr(|| sendmsg(&self.line, &folder, &mut control, SendFlags::NOSIGNAL))?;
        Ok(())
    }
}

/// What a supervisor is told to run.
pub(super) struct Told {
    pub folder: PathBuf,
    /// Its lock, locked.
    pub lock: File,
    /// Where to complain.
    pub complaints: File,
}

/// Waits on standard input to be told what to run. `None` when whoever would have told is gone.
pub(super) fn told() -> io::Result<Option<Told>> {
    let mut folder = vec![0; LONGEST_PATH];
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(2))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let line = io::stdin();
    let received = retry_on_intr(|| {
        let mut folder = [IoSliceMut::new(&mut folder)];
        recvmsg(&line, &mut folder, &mut control, RecvFlags::CMSG_CLOEXEC)
    })?;
    if received.bytes == 0 {
        return Ok(None);
    }
    folder.truncate(received.bytes);
    let mut files = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(files) => Some(files),
        _ => None,
    });
    let mut files = files.by_ref().flatten();
    let mut file = || files.next().ok_or(io::ErrorKind::InvalidData);
    Ok(Some(Told {
        lock: file()?.into(),
        complaints: file()?.into(),
        folder: PathBuf::from(OsString::from_vec(folder)),
    }))
}

/// Bytes of a path that the kernel takes.
const LONGEST_PATH: usize = 4096;
