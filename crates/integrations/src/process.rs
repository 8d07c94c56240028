//! Programs that only read: bounded in time, memory and output, and gone with everything they started.

use std::{
    io,
    process::{Output, Stdio},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::Command,
    task::spawn_blocking,
    time::timeout,
};

use crate::supervisor::{ProcessId, end_survivors};

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

/// Set in every process of a program to something only these have.
const MARKER: &str = "SLIPWAY_TOOL";

/// Everything a program started; ended when this is dropped, if not before.
struct Tree(Option<(Option<ProcessId>, String)>);

impl Tree {
    fn mark() -> String {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        format!("{}-{number}", std::process::id())
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
