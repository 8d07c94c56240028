//! Ends the lab's processes: those it started, and those that sessions on its hosts left behind.
//!
//! A process belongs to a lab when its environment says so (`SLIPWAY_LAB` = the lab's folder; sessions get it from
//! their sshd), when it is an sshd whose title names the folder (sshd overwrites its environment), or when it
//! descends from such a process. Signals go through process descriptors, so never to a recycled process id.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// The environment variable that marks a lab's processes.
pub const MARK: &str = "SLIPWAY_LAB";

const GRACE: Duration = Duration::from_secs(2);

/// A process at one moment; the start time tells a recycled id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Process {
    pub id: i32,
    started: u64,
}

/// Every live process of the lab in `dir` (an absolute path), but not the caller.
pub fn of_lab(dir: &Path) -> Vec<Process> {
    let table = Table::read();
    let mark = format!("{MARK}={}", dir.display()).into_bytes();
    let hosts = format!(" {}/hosts/", dir.display());
    let roots: Vec<i32> = table
        .rows
        .keys()
        .copied()
        .filter(|id| is_marked(*id, &mark) || is_sshd_of(*id, &hosts))
        .collect();
    table.with_descendants(&roots)
}

/// The sshd `listener` and the sshd processes of its sessions, but not what the sessions run: what goes when a host
/// is cut off.
pub fn sshd_tree(listener: i32) -> Vec<Process> {
    let mut tree = Table::read().with_descendants(&[listener]);
    tree.retain(|process| command_name(process.id).starts_with("sshd"));
    tree
}

/// Ends every process of the lab in `dir`, politely first. Returns those that would not end.
pub fn end_lab(dir: &Path) -> Vec<Process> {
    // More than once, for a process may start another while it is being ended.
    for grace in [GRACE, Duration::ZERO, Duration::ZERO, Duration::ZERO] {
        let processes = of_lab(dir);
        if processes.is_empty() {
            return processes;
        }
        end(&processes, grace);
    }
    of_lab(dir)
}

/// Asks the processes to end, and kills those that have not within `grace`.
pub fn end(processes: &[Process], grace: Duration) {
    let mut open: Vec<OwnedFd> = processes
        .iter()
        .filter_map(|process| process.open())
        .collect();
    if !grace.is_zero() {
        signal(&open, Signal::TERM);
        wait(&mut open, grace);
    }
    signal(&open, Signal::KILL);
    wait(&mut open, GRACE);
}

impl Process {
    /// A descriptor of this very process; `None` when it has ended.
    fn open(self) -> Option<OwnedFd> {
        let descriptor = pidfd_open(Pid::from_raw(self.id)?, PidfdFlags::empty()).ok()?;
        // Looked at after opening: if it is still the same process now, the descriptor is of that process.
        (Row::read(self.id)?.started == self.started).then_some(descriptor)
    }
}

fn signal(open: &[OwnedFd], signal: Signal) {
    for descriptor in open {
        // Fails only when the process has ended.
        let _ = pidfd_send_signal(descriptor, signal);
    }
}

/// Waits until all have ended or `limit` has passed, and keeps those that have not ended.
fn wait(open: &mut Vec<OwnedFd>, limit: Duration) {
    let deadline = Instant::now() + limit;
    while !open.is_empty() {
        let left = deadline.saturating_duration_since(Instant::now());
        let Ok(left) = Timespec::try_from(left) else {
            return;
        };
        let mut polled: Vec<_> = open
            .iter()
            .map(|descriptor| PollFd::new(descriptor, PollFlags::IN))
            .collect();
        if !matches!(poll(&mut polled, Some(&left)), Ok(1..)) {
            return;
        }
        let ended: Vec<bool> = polled.iter().map(|one| !one.revents().is_empty()).collect();
        let mut ended = ended.into_iter();
        open.retain(|_| !ended.next().unwrap_or(false));
    }
}

/// What `/proc/<id>/stat` says of a process.
struct Row {
    parent: i32,
    started: u64,
}

impl Row {
    /// `None` when the process is gone, or is a zombie that only waits for its parent.
    fn read(id: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // The name before it may hold spaces and parentheses.
        let (_, fields) = stat.rsplit_once(") ")?;
        let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
        if matches!(fields.first(), Some(&"Z" | &"X")) {
            return None;
        }
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            started: fields.get(19)?.parse().ok()?,
        })
    }
}

struct Table {
    rows: HashMap<i32, Row>,
}

impl Table {
    fn read() -> Self {
        let ids = fs::read_dir("/proc")
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| {
                entry
                    .file_name()
                    .to_str()
                    .and_then(|name| name.parse::<i32>().ok())
            });
        Self {
            rows: ids.filter_map(|id| Some((id, Row::read(id)?))).collect(),
        }
    }

    fn with_descendants(&self, roots: &[i32]) -> Vec<Process> {
        let own = rustix::process::getpid().as_raw_nonzero().get();
        let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
        for (id, row) in &self.rows {
            children.entry(row.parent).or_default().push(*id);
        }
        let mut found = HashSet::new();
        let mut open = roots.to_vec();
        while let Some(id) = open.pop() {
            if id != own && found.insert(id) {
                open.extend(children.get(&id).into_iter().flatten());
            }
        }
        found
            .into_iter()
            .filter_map(|id| {
                Some(Process {
                    id,
                    started: self.rows.get(&id)?.started,
                })
            })
            .collect()
    }
}

fn is_marked(id: i32, mark: &[u8]) -> bool {
    fs::read(format!("/proc/{id}/environ")).is_ok_and(|environment| {
        environment
            .split(|byte| *byte == 0)
            .any(|entry| entry == mark)
    })
}

fn is_sshd_of(id: i32, hosts: &str) -> bool {
    command_name(id).starts_with("sshd")
        && fs::read(format!("/proc/{id}/cmdline")).is_ok_and(|line| {
            String::from_utf8_lossy(&line)
                .replace('\0', " ")
                .contains(hosts)
        })
}

fn command_name(id: i32) -> String {
    fs::read_to_string(format!("/proc/{id}/comm")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    #[test]
    fn a_marked_process_and_its_orphans_end_and_others_live() {
        let dir = tempfile::tempdir().unwrap();
        let mut bystander = Command::new("sleep").arg("60").spawn().unwrap();
        let mut marked = Command::new("sh")
            // The grandchild ignores the polite signal and has a session of its own.
            .args([
                "-c",
                "setsid sh -c 'trap \"\" TERM; echo up; while :; do sleep 60; done' & wait",
            ])
            .env(MARK, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(marked.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert!(of_lab(dir.path()).len() >= 2);

        assert!(end_lab(dir.path()).is_empty());

        assert!(marked.wait().is_ok());
        assert!(bystander.try_wait().unwrap().is_none());
        bystander.kill().unwrap();
        bystander.wait().unwrap();
    }
}
