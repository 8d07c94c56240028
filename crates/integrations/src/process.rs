//! Programs that only read: bounded in time, memory and output, and gone with everything they started.

use std::{
    fs, io,
    process::{Output, Stdio},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use rustix::process::{Pid, Resource, Rlimit, getpid, prlimit};
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::Command,
    task::spawn_blocking,
    time::timeout,
};

use crate::supervisor::{ProcessId, end_survivors, values_of};

/// What a program may use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub time: Duration,
    /// Bytes of standard output, and of standard error.
    pub output: u64,
    /// Bytes of address space of each process.
    pub memory: Option<u64>,
    /// Bytes of the longest file each process may write.
    pub file: Option<u64>,
}

/// Why a program gave no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    Start(io::Error),
    Slow,
    TooMuch,
}

/// Set in every process of a program to something only these have, beginning with [`own`].
const MARKER: &str = "SLIPWAY_TOOL";

/// Begins the name of every folder of [`scratch`].
const SCRATCH: &str = "slipway-tool-";

/// Where this machine's numbers of processes hold: in another container they mean others.
fn namespace() -> String {
    let link = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    let text = link.to_string_lossy();
    text.chars().filter(char::is_ascii_digit).collect()
}

/// This process, as `<namespace>.<pid>.<start>`.
fn own() -> String {
    let start = ProcessId::of(getpid()).map_or(0, |own| own.start);
    format!("{}.{}.{start}", namespace(), std::process::id())
}

/// Whether the process that `tag`, `<namespace>.<pid>.<start>-<rest>`, begins with has ended. Of another container's it
/// cannot be told.
fn left_behind(tag: &str) -> bool {
    let process = || {
        let (within, process) = tag.split_once('-')?.0.split_once('.')?;
        let (pid, start) = process.split_once('.')?;
        (within == namespace()).then_some(())?;
        Some(ProcessId {
            pid: pid.parse().ok()?,
            start: start.parse().ok()?,
        })
    };
    process().is_some_and(|process| !process.alive())
}

/// A folder for a program to work in, which goes when it is dropped, or else with [`clear_left_behind`].
pub fn scratch() -> io::Result<TempDir> {
    tempfile::Builder::new()
        .prefix(&format!("{SCRATCH}{}-", own()))
        .tempdir()
}

/// Ends what programs left running, and removes what they left in temporary folders, whose console was killed. Blocks
/// for as long as they take to end.
pub fn clear_left_behind() {
    // What cannot be looked at now is looked at the next time.
    for mark in values_of(MARKER).unwrap_or_default() {
        if left_behind(&mark) {
            end_survivors(None, MARKER, &mark);
        }
    }
    let Ok(entries) = fs::read_dir(std::env::temp_dir()) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let tag = name.to_str().and_then(|name| name.strip_prefix(SCRATCH));
        if tag.is_some_and(left_behind) {
            // Somebody else's cannot be removed, and need not be.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Everything a program started; ended when this is dropped, if not before.
struct Tree(Option<(Option<ProcessId>, String)>);

impl Tree {
    fn mark() -> String {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        format!("{}-{number}", own())
    }

    async fn end(mut self) {
        if let Some((root, mark)) = self.0.take() {
            // What cannot be ended in ten seconds is left to the system.
            let _ = spawn_blocking(move || end_survivors(root, MARKER, &mark)).await;
        }
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        if let Some((root, mark)) = self.0.take() {
            std::thread::spawn(move || end_survivors(root, MARKER, &mark));
        }
    }
}

/// Runs `command`, whose environment is to be clean, to its end, with `input` as its standard input.
pub(crate) async fn run(
    command: &mut Command,
    input: &[u8],
    bounds: Bounds,
) -> Result<Output, Failure> {
    let mark = Tree::mark();
    let mut child = command
        .env(MARKER, &mark)
        .stdin(if input.is_empty() {
            Stdio::null()
        } else {
            Stdio::piped()
        })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(Failure::Start)?;
    let pid = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed()));
    let tree = Tree(Some((pid.and_then(ProcessId::of), mark)));
    for (resource, limit) in [
        (Resource::As, bounds.memory),
        (Resource::Fsize, bounds.file),
    ] {
        if let (Some(_), Some(_)) = (pid, limit) {
            // Without the limit the time still is one.
            let _ = prlimit(
                pid,
                resource,
                Rlimit {
                    current: limit,
                    maximum: limit,
                },
            );
        }
    }
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let told = async {
        if let Some(mut stdin) = stdin {
            // A program that does not read to the end says why, or needs no more.
            let _ = stdin.write_all(input).await;
        }
        io::Result::Ok(())
    };
    let most = bounds.output;
    let answered = timeout(bounds.time, async {
        let ((), stdout, stderr) =
            tokio::try_join!(told, some_of(stdout, most), some_of(stderr, most))?;
        if stdout.len() as u64 > most || stderr.len() as u64 > most {
            return Ok(None);
        }
        let status = child.wait().await?;
        io::Result::Ok(Some(Output {
            status,
            stdout,
            stderr,
        }))
    })
    .await;
    tree.end().await;
    match answered {
        Err(_) => Err(Failure::Slow),
        Ok(Err(error)) => Err(Failure::Start(error)),
        Ok(Ok(None)) => Err(Failure::TooMuch),
        Ok(Ok(Some(output))) => Ok(output),
    }
}

/// All that comes, up to one byte more than is accepted.
async fn some_of(pipe: Option<impl AsyncRead + Unpin>, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        pipe.take(most + 1).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use super::*;

    #[test]
    fn what_a_killed_console_left_behind_is_cleared_and_nothing_else() {
        let sleeping = |tag: &str| {
            let mut command = Command::new("sleep");
            command.arg("1000").env(MARKER, tag).spawn().unwrap()
        };
        let id = |child: &Child| ProcessId::of(Pid::from_child(child)).unwrap();
        let mut killed = sleeping("");
        let gone = id(&killed);
        killed.kill().unwrap();
        killed.wait().unwrap();
        let elsewhere = format!("1.{}.{}-1", gone.pid, gone.start);
        let gone = format!("{}.{}.{}-1", namespace(), gone.pid, gone.start);

        let folder = tempfile::Builder::new()
            .prefix(&format!("{SCRATCH}{gone}-"))
            .tempdir()
            .unwrap();
        fs::write(folder.path().join("inventory"), "web-1").unwrap();
        let kept = scratch().unwrap();
        let mut orphan = sleeping(&gone);
        let mut others = ["", "1", "1.x-2", &elsewhere, &Tree::mark()].map(sleeping);

        clear_left_behind();
        orphan.wait().unwrap();
        assert!(!folder.path().exists() && kept.path().exists());
        for other in &mut others {
            assert_eq!(other.try_wait().unwrap(), None);
            other.kill().unwrap();
            other.wait().unwrap();
        }
    }
}
