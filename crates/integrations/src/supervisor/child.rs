//! What `slipway supervise` does: the small process between the server and the program.

use std::{
    fs::{File, OpenOptions},
    io::{self, PipeReader},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt},
    path::{Path, PathBuf},
    pin::pin,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use command_fds::{CommandFdExt, FdMapping};
use jiff::Timestamp;
use rustix::{
    process::{Pid, Signal, WaitOptions, WaitStatus, getpid, set_child_subreaper, setsid, wait},
    stdio::dup2_stderr,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::oneshot,
    time::{sleep, timeout},
};

use super::{
    MARKER,
    launcher::told,
    names,
    proc::{self, ProcessId},
    pump::{Broken, Pump},
    redact::Redactor,
    spec::{Begun, Exit, RecordError, ReservedExit, Spec, load, save},
};

/// Where the child finds its event pipe.
const EVENT_FD: i32 = 3;
/// A line of output is for people; an event may name ten thousand hosts.
const LONGEST_OUTPUT_LINE: usize = 64 * 1024;
const LONGEST_EVENT: usize = 8 * 1024 * 1024;
/// Bytes of events that are stored: millions of them. A run that has more ends as unknown.
const MOST_EVENTS: u64 = 1 << 30;
/// How long what the child left behind (ssh connections kept open) may take to end by itself.
const LEFTOVER_GRACE: Duration = Duration::from_secs(1);
/// How long output may still take to arrive when every process that could write it is gone.
const DRAIN: Duration = Duration::from_secs(10);

/// The supervisor stopped before or after, but never instead of, supervising.
#[derive(Debug, thiserror::Error)]
pub enum SuperviseError {
    #[error("{folder} is not prepared for a run.", folder = .0.display())]
    NotPrepared(PathBuf),
    #[error("The run in {folder} has begun before and is not started twice.", folder = .0.display())]
    BegunBefore(PathBuf),
    #[error("The lock of {folder} was not handed over, or is another file by now.", folder = .0.display())]
    NotLocked(PathBuf),
    #[error(
        "Nobody tells this process what to run ({0}). `slipway supervise` is started by `slipway serve`, not by hand."
    )]
    NotTold(io::Error),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error("The supervisor could not {what}: {why}")]
    System { what: &'static str, why: io::Error },
}

fn system(what: &'static str) -> impl Fn(io::Error) -> SuperviseError {
    move |why| SuperviseError::System { what, why }
}

/// Waits to be told by a [`Launcher`](super::Launcher) what to run, and runs that to its end; does nothing when the launcher
/// goes without a word. Blocks; call it in a process of its own, before any thread is started. `clock` stamps the exit record.
pub fn supervise(clock: impl Fn() -> Timestamp) -> Result<(), SuperviseError> {
    // A leader of its own session survives the server's terminal and process group. Fails only if it is one already.
    let _ = setsid();
    // Whatever the child starts, and however it detaches, it stays below this process.
    set_child_subreaper(Some(getpid()))
        .map_err(io::Error::from)
        .map_err(system("adopt orphaned processes"))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(system("start"))?;
    // Until it is told, it has nothing to end in order: a signal simply ends it.
    let Some(told) = told().map_err(SuperviseError::NotTold)? else {
        return Ok(());
    };
    dup2_stderr(told.complaints)
        .map_err(io::Error::from)
        .map_err(system("complain in its folder"))?;
    check_lock(&told.folder, &told.lock)?;
    // Held until this process is gone, its last words written. The child could not keep it: it is closed where the child
    // begins.
    std::mem::forget(told.lock);
    runtime.block_on(run(&told.folder, clock))
}

/// It is the lock of this folder, and ours.
fn check_lock(folder: &Path, given: &File) -> Result<(), SuperviseError> {
    let lock = std::fs::metadata(folder.join(names::LOCK));
    let same = match (given.metadata(), lock) {
        (Ok(given), Ok(lock)) => (given.dev(), given.ino()) == (lock.dev(), lock.ino()),
        _ => false,
    };
    if same && given.try_lock().is_ok() {
        Ok(())
    } else {
        Err(SuperviseError::NotLocked(folder.to_owned()))
    }
}

async fn run(folder: &Path, clock: impl Fn() -> Timestamp) -> Result<(), SuperviseError> {
    let mut spec: Spec =
        load(folder, names::SPEC)?.ok_or_else(|| SuperviseError::NotPrepared(folder.to_owned()))?;
    if folder.join(names::BEGUN).exists() || folder.join(names::EXIT).exists() {
        return Err(SuperviseError::BegunBefore(folder.to_owned()));
    }
    let redactor = Redactor::new(&spec.redact, &spec.output)
        .map_err(|error| system("prepare redaction")(io::Error::other(error)))?;
    let mut signals = Signals::new().map_err(system("listen for signals"))?;
    let reserved = ReservedExit::new(folder)?;
    let output = append_to(&folder.join(names::OUTPUT))?;
    let events = append_to(&folder.join(names::EVENTS))?;
    let supervisor = ProcessId::of(getpid())
        .ok_or_else(|| system("find itself in /proc")(io::ErrorKind::NotFound.into()))?;
    let mut begun = Begun {
        supervisor,
        child: None,
        boot: proc::boot(),
    };

    // The line between "may be queued again" and "may have touched a host".
    save(folder, names::BEGUN, &begun)?;

    let mut exit = Exit::default();
    if folder.join(names::CANCEL).exists() {
        exit.cancelled = true;
        exit.not_started = Some("It was cancelled before it started.".to_owned());
    } else {
        match start(folder, &spec, redactor, output, events) {
            Err(error) => {
                exit.not_started = Some(format!("{} could not be started: {error}", program(&spec)))
            }
            Ok(started) => {
                begun.child = ProcessId::of(started.pid);
                // Only helps to find survivors sooner; they carry a mark as well.
                let _ = save(folder, names::BEGUN, &begun);
                // On a disk that has just filled up the old spec stays, readable by us alone; nothing may stop the run.
                spec.redact.clear();
                let _ = save(folder, names::SPEC, &spec);
                watch(
                    folder,
                    &spec,
                    supervisor,
                    started.pid,
                    &mut signals,
                    &mut exit,
                )
                .await;
                end_leftovers(supervisor, started.pid, &mut exit).await;
                exit.output_incomplete = !started.all_stored().await;
            }
        }
    }
    for path in &spec.scratch {
        // Whatever stays is only untidy.
        let _ = if path.is_dir() {
            std::fs::remove_dir_all(path)
        } else {
            std::fs::remove_file(path)
        };
    }
    exit.at = clock().as_millisecond();
    Ok(reserved.write(&exit)?)
}

/// Waits until the child has ended, asking it to when the server or the deadline wants so.
async fn watch(
    folder: &Path,
    spec: &Spec,
    supervisor: ProcessId,
    child: Pid,
    signals: &mut Signals,
    exit: &mut Exit,
) {
    let mut deadline = pin!(sleep(spec.deadline_after));
    let mut patience = pin!(sleep(spec.grace));
    let mut asked = false;
    loop {
        let more = reap(child, exit);
        if exit.code.is_some() || exit.signal.is_some() || !more {
            return;
        }
        tokio::select! {
            _ = signals.child.recv() => continue,
            _ = signals.stop.recv(), if !asked => {
                exit.cancelled = folder.join(names::CANCEL).exists();
                exit.interrupted = !exit.cancelled;
            }
            () = &mut deadline, if !asked => exit.timed_out = true,
            () = &mut patience, if asked => {
                supervisor.descendants().iter().for_each(|process| process.signal(Signal::KILL));
                patience.set(sleep(Duration::from_millis(100)));
                continue;
            }
        }
        asked = true;
        patience.set(sleep(spec.grace));
        if let Some(child) = ProcessId::of(child) {
            child.signal(Signal::TERM);
        }
    }
}

/// Ends everything the child left behind. A subreaper has no children exactly when nothing below it lives.
async fn end_leftovers(supervisor: ProcessId, child: Pid, exit: &mut Exit) {
    let mut pause = Duration::from_millis(2);
    let mut patience = pin!(sleep(LEFTOVER_GRACE));
    let mut signal = Signal::TERM;
    let mut told = Vec::new();
    while reap(child, exit) {
        for process in supervisor.descendants() {
            // One polite signal each; the other one as often as it takes.
            if signal == Signal::KILL || !told.contains(&process) {
                process.signal(signal);
                told.push(process);
            }
        }
        tokio::select! {
            () = &mut patience, if signal == Signal::TERM => signal = Signal::KILL,
            () = sleep(pause) => pause = (pause * 2).min(Duration::from_millis(100)),
        }
    }
}

/// Waits for what has ended, notes how the child did; `false` when there is nothing left to wait for.
fn reap(child: Pid, exit: &mut Exit) -> bool {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == child => note(status, exit),
            Ok(Some(_)) => {}
            Ok(None) => return true,
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}

fn note(status: WaitStatus, exit: &mut Exit) {
    exit.code = status.exit_status();
    exit.signal = status.terminating_signal();
}

struct Started {
    pid: Pid,
    stored: [oneshot::Receiver<bool>; 2],
}

impl Started {
    /// Waits for the last of the output; `false` if some is missing.
    async fn all_stored(self) -> bool {
        let [output, events] = self.stored;
        let both = async { matches!((output.await, events.await), (Ok(true), Ok(true))) };
        timeout(DRAIN, both).await.unwrap_or(false)
    }
}

/// Starts the child with nothing but what the spec gives it.
fn start(
    folder: &Path,
    spec: &Spec,
    redactor: Redactor,
    output: File,
    events: File,
) -> io::Result<Started> {
    let redactor = Arc::new(redactor);
    let (output_reader, output_writer) = io::pipe()?;
    let (events_reader, events_writer) = io::pipe()?;
    let stored = [
        store(
            output_reader,
            output,
            Broken::Split,
            LONGEST_OUTPUT_LINE,
            spec.output.most_bytes,
            Arc::clone(&redactor),
        )?,
        store(
            events_reader,
            events,
            Broken::Drop,
            LONGEST_EVENT,
            MOST_EVENTS,
            redactor,
        )?,
    ];

    let mut command = Command::new(program(spec));
    command
        .args(spec.argv.iter().skip(1))
        .env_clear()
        .envs(&spec.env)
        .env(MARKER, folder)
        .current_dir(&spec.cwd)
        .stdin(Stdio::null())
        .stdout(output_writer.try_clone()?)
        .stderr(output_writer);
    if spec.event_fd {
        command.env("SLIPWAY_EVENT_FD", EVENT_FD.to_string());
        command
            .fd_mappings(vec![FdMapping {
                parent_fd: events_writer.into(),
                child_fd: EVENT_FD,
            }])
            .map_err(io::Error::other)?;
    }
    // The handle is let go: the supervisor waits for every process below it, this one included. Dropping the command
    // closes our writing ends of the pipes.
    let child = command.spawn()?;
    Ok(Started {
        pid: Pid::from_child(&child),
        stored,
    })
}

/// Stores what comes out of the pipe on a thread of its own, so that a slow disk cannot hold up the deadline.
fn store(
    source: PipeReader,
    sink: File,
    broken: Broken,
    longest_line: usize,
    most: u64,
    redactor: Arc<Redactor>,
) -> io::Result<oneshot::Receiver<bool>> {
    let (done, stored) = oneshot::channel();
    std::thread::Builder::new()
        .stack_size(256 * 1024)
        .spawn(move || {
            let pump = Pump {
                redactor: &redactor,
                broken,
                longest_line,
                most,
            };
            // Nobody listens any more only when the wait for the last output has been given up.
            let _ = done.send(pump.run(source, sink));
        })?;
    Ok(stored)
}

fn program(spec: &Spec) -> &str {
    spec.argv.first().map_or("", String::as_str)
}

fn append_to(path: &Path) -> Result<File, RecordError> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| RecordError::write(path, error))
}

struct Signals {
    child: tokio::signal::unix::Signal,
    stop: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            child: signal(SignalKind::child())?,
            stop: signal(SignalKind::terminate())?,
        })
    }
}
