//! Starts supervisors: one is kept ready, since a process takes longer to start than everything else there is to do.

use std::{
    fs::File,
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, OwnedFd},
        unix::{
            ffi::{OsStrExt as _, OsStringExt as _},
            process::CommandExt as _,
        },
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, PoisonError},
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

use super::{
    handle::{lock, refuse_second_start},
    spec::RecordError,
};

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

    /// Has a supervisor ready for the next run; it ends by itself when this process does. Does nothing if there is one, and
    /// nothing depends on it: without one a run starts some milliseconds later.
    pub fn make_ready(&self) {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.is_none() {
            *spare = Supervisor::start(&self.exe).ok();
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
        let mut child = self.tell(&folder, &lock)?;
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
    fn tell(&self, folder: &Path, lock: &File) -> Result<Child, LaunchError> {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        let ready = spare.take();
        drop(spare);
        if let Some(mut ready) = ready {
            if ready.tell(folder, lock).is_ok() {
                return Ok(ready.child);
            }
            // Somebody ended it; what nobody received was not begun.
            let _ = ready.child.kill();
            let _ = ready.child.wait();
        }
        let failed = |why| LaunchError::Spawn {
            exe: self.exe.clone(),
            why,
        };
        let new = Supervisor::start(&self.exe).map_err(failed)?;
        new.tell(folder, lock).map_err(failed)?;
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

    /// Hands the folder over, with its lock.
    fn tell(&self, folder: &Path, lock: &File) -> io::Result<()> {
        let lock = [lock.as_fd()];
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(&lock));
        let folder = [IoSlice::new(folder.as_os_str().as_bytes())];
        retry_on_intr(|| sendmsg(&self.line, &folder, &mut control, SendFlags::NOSIGNAL))?;
        Ok(())
    }
}

/// Waits on standard input to be told what to run: its folder, and the lock. `None` when whoever would have told is gone.
pub(super) fn told() -> io::Result<Option<(PathBuf, File)>> {
    let mut folder = vec![0; LONGEST_PATH];
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let line = io::stdin();
    let received = retry_on_intr(|| {
        let mut folder = [IoSliceMut::new(&mut folder)];
        recvmsg(&line, &mut folder, &mut control, RecvFlags::CMSG_CLOEXEC)
    })?;
    let lock = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut handed) => handed.next(),
        _ => None,
    });
    folder.truncate(received.bytes);
    let folder = PathBuf::from(std::ffi::OsString::from_vec(folder));
    Ok(lock.map(|lock| (folder, File::from(lock))))
}

/// Bytes of a path that the kernel takes.
const LONGEST_PATH: usize = 4096;
