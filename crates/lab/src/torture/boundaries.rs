//! A console that is killed, and supervisors that are, at the system calls by which they store or start something.
//!
//! strace does it: it kills a process when one of its threads enters its n-th call of a kind. Each start of the console
//! draws a kind and an n. A supervisor is stopped as soon as it is seen, and goes on under a strace of its own; kinds and
//! numbers are gone through in turn, so that every boundary of it is met. What strace wrote last says which one it was.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rustix::process::{Pid, Signal, getuid, kill_process};
use tokio::process::Command;
use tokio::time::sleep;

use crate::disk;

/// The console's calls of one kind, and how far into them kills are drawn.
const CONSOLE: [(&str, u32); 8] = [
    ("rename,renameat,renameat2", 6),
    ("fsync,fdatasync", 60),
    ("pwrite64", 400),
    ("write,writev", 120),
    ("flock,fcntl", 120),
    ("unlink,unlinkat,ftruncate,mkdir,mkdirat", 12),
    ("clone,clone3,vfork,execve", 12),
    // A supervisor is told what to run.
    ("sendmsg", 6),
];

/// A supervisor's calls of one kind, and how many of them one run has.
const SUPERVISOR: [(&str, u32); 7] = [
    // The lock is tried.
    ("flock", 1),
    // `begun`, the spec without its secrets, `begun` with the child, the exit record.
    ("rename,renameat,renameat2", 4),
    // Each of them, and its folder.
    ("fsync,fdatasync", 8),
    // Their drafts, the room for the exit record, output and events.
    ("write", 10),
    // Who stores output and events, and the child.
    ("clone,clone3,vfork", 3),
    // What nobody needs any more.
    ("unlink,unlinkat,rmdir", 2),
    // All is stored; the lock is about to be let go.
    ("exit_group", 1),
];

/// How long strace may take to get hold of a supervisor.
const ATTACH: Duration = Duration::from_secs(2);

/// How often a kill came at a boundary.
pub type Boundaries = BTreeMap<String, u32>;

/// A program in `dir` that starts the console, and once [`begin`] was called, kills it sooner or later.
pub fn program(dir: &Path) -> Result<PathBuf> {
    let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
    if !getuid().is_root() && !matches!(scope.trim(), "" | "0") {
        bail!(
            "strace may not watch supervisors here: run this as root, or set kernel.yama.ptrace_scope to 0 for as long"
        );
    }
    let slipway = std::env::current_exe()?.with_file_name("slipway");
    let path = dir.join("slipway-to-be-killed");
    let traces = traces(dir);
    let _ = fs::remove_dir_all(&traces);
    fs::create_dir_all(&traces)?;
    let _ = fs::remove_file(go(dir));
    let choices: String = CONSOLE
        .iter()
        .enumerate()
        .map(|(number, (calls, most))| format!("  {number}) calls={calls}; most={most} ;;\n"))
        .collect();
    // -DDD: strace is no parent of the console, which ends as if nobody watched; -b: what it starts goes free.
    let script = format!(
        "#!/bin/bash\n\
         [ -f '{go}' ] || exec '{slipway}' \"$@\"\n\
         case $((RANDOM % {kinds})) in\n{choices}esac\n\
         exec strace -DDD -f -b execve -qq -y -s 0 -o '{traces}'/$$ -e trace=$calls \
         -e inject=$calls:signal=KILL:when=$((RANDOM % most + 1)) '{slipway}' \"$@\"\n",
        go = go(dir).display(),
        slipway = slipway.display(),
        traces = traces.display(),
        kinds = CONSOLE.len(),
    );
    disk::write(&path, script.as_bytes(), 0o755)?;
    Ok(path)
}

/// From its next start on, the console is killed.
pub fn begin(dir: &Path) -> Result<()> {
    Ok(fs::write(go(dir), "")?)
}

fn go(dir: &Path) -> PathBuf {
    dir.join("kill")
}

/// What strace wrote of each start of the console.
fn traces(dir: &Path) -> PathBuf {
    dir.join("traces")
}

/// Where the console was killed.
pub fn of_console(dir: &Path) -> Result<Boundaries> {
    let mut met = Boundaries::new();
    for entry in fs::read_dir(traces(dir))?.flatten() {
        let trace = String::from_utf8_lossy(&fs::read(entry.path())?).into_owned();
        if let Some(name) = boundary(&trace) {
            *met.entry(name).or_default() += 1;
        }
    }
    Ok(met)
}

/// Lets a supervisor come to one of its calls and kills it there; `turn` says which. Returns the boundary, or nothing when
/// it was past it or never came to it.
pub async fn kill_supervisor(pid: Pid, turn: usize) -> Option<String> {
    let all = || {
        let kinds = SUPERVISOR.iter();
        kinds.flat_map(|(calls, most)| (1..=*most).map(move |when| (*calls, when)))
    };
    let (calls, when) = all().nth(turn % all().count())?;
    // From here on it stands still until it is watched.
    kill_process(pid, Signal::STOP).ok()?;
    let strace = Command::new("strace")
        .args(["-f", "-b", "execve", "-qq", "-y", "-s", "0"])
        .arg("-e")
        .arg(format!("trace={calls}"))
        .arg("-e")
        .arg(format!("inject={calls}:signal=KILL:when={when}"))
        .arg("-p")
        .arg(pid.as_raw_pid().to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    if strace.is_ok() {
        let until = Instant::now() + ATTACH;
        while !is_watched(pid) && Instant::now() < until {
            sleep(Duration::from_millis(1)).await;
        }
    }
    let _ = kill_process(pid, Signal::CONT);
    let said = strace.ok()?.wait_with_output().await.ok()?;
    boundary(&String::from_utf8_lossy(&said.stderr))
}

fn is_watched(pid: Pid) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_pid()));
    let status = status.unwrap_or_default();
    let tracer = status
        .lines()
        .find_map(|line| line.strip_prefix("TracerPid:"));
    tracer.is_some_and(|pid| pid.trim() != "0")
}

/// The call before which a process was killed, and the file it was about; nothing if it was not killed.
fn boundary(trace: &str) -> Option<String> {
    let (before, _) = trace.split_once("+++ killed by SIGKILL")?;
    // A call that was never carried out has no result.
    let line = before
        .lines()
        .rev()
        .find(|line| line.ends_with("= ?") || line.ends_with("<unfinished ...>"))?;
    let call = line.split_once('(').map_or(line, |(call, _)| call);
    let call = call.rsplit([' ', ']']).next().unwrap_or(call);
    Some(match file_of(line) {
        Some(file) => format!("{call} {file}"),
        None => call.to_owned(),
    })
}

/// The file a call is about: where something is renamed to, or what a descriptor stands for.
fn file_of(line: &str) -> Option<String> {
    let quoted = line.rsplit('"').nth(1).filter(|text| text.starts_with('/'));
    let path = quoted.or_else(|| Some(line.split_once('<')?.1.split_once('>')?.0))?;
    let name = path.rsplit('/').next().unwrap_or(path);
    let name = name.split_once(':').map_or(name, |(kind, _)| kind);
    let id = |text: &str| text.len() == 36 && text.matches('-').count() == 4;
    Some(match name {
        "unfinished ..." | "" => return None,
        name if id(name) => "attempt's folder".to_owned(),
        name if name.parse::<u32>().is_ok() => "process".to_owned(),
        name => name.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boundary_is_read_from_what_strace_wrote_last() {
        let of = |last: &str| {
            boundary(&format!(
                "12 rename(\"/a/b.new\", \"/a/b\") = 0\n{last}\n12 +++ killed by SIGKILL +++\n"
            ))
        };
        for (line, expected) in [
            (
                "12 rename(\"/data/attempts/0199/begun.new\", \"/data/attempts/0199/begun\") = ?",
                "rename begun",
            ),
            ("fsync(5</data/slipway.db-wal>) = ?", "fsync slipway.db-wal"),
            (
                "[pid 3] fsync(9</data/attempts/01999999-aaaa-7bbb-8ccc-123456789012> <unfinished ...>",
                "fsync attempt's folder",
            ),
            ("12 write(4<socket:[123]>, \"\"..., 2) = ?", "write socket"),
            ("12 clone3( <unfinished ...>", "clone3"),
            ("12 exit_group(0) = ?", "exit_group"),
        ] {
            assert_eq!(of(line).as_deref(), Some(expected), "{line}");
        }
        assert_eq!(boundary("12 rename(\"/a\", \"/b\") = 0\n"), None);
    }
}
