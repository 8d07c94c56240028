//! Processes: who they are, what they started, ending them.

use std::{collections::BTreeSet, fs, thread, time::Duration};

use rustix::{
    io::Errno,
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};
use serde::{Deserialize, Serialize};

/// A process for certain: its number, and when it started, since numbers are used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProcessId {
    pub pid: i32,
    /// Clock ticks from boot, as in `/proc/<pid>/stat`.
    pub start: u64,
}

impl ProcessId {
    /// `None` when there is no such process.
    pub fn of(pid: Pid) -> Option<Self> {
        let pid = pid.as_raw_pid();
        stat(pid).map(|stat| Self {
            pid,
            start: stat.start,
        })
    }

    /// It is there and has not ended (one that nobody has waited for yet has).
    pub fn alive(self) -> bool {
        stat(self.pid)
            .is_some_and(|stat| stat.start == self.start && !matches!(stat.state, 'Z' | 'X'))
    }

    /// Sends a signal; does nothing if the process is gone, even if its number is in use again. What could not be sent
    /// (no descriptor is free) has to be sent again.
    pub fn signal(self, signal: Signal) {
        let Some(pid) = Pid::from_raw(self.pid) else {
            return;
        };
        // The descriptor keeps the number from being given away between the check and the signal.
        let handle = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(handle) => handle,
            Err(Errno::SRCH) => return,
            Err(error) => {
                tracing::warn!(pid = self.pid, %error, "a process could not be signalled");
                return;
            }
        };
        if self.alive() {
            // Fails only if it has ended meanwhile, which is what was wanted.
            let _ = pidfd_send_signal(handle, signal);
        }
    }

    /// What it started, and what those started, without itself; nothing if it has ended. A snapshot: more may be starting.
    pub fn descendants(self) -> Vec<Self> {
        let mut found = Vec::new();
        let mut open = vec![self];
        while let Some(parent) = open.pop() {
            let children: Vec<_> = children(parent.pid)
                .into_iter()
                .filter_map(|child| Pid::from_raw(child).and_then(Self::of))
                .collect();
            // Asked afterwards: then the list was its own.
            if parent.alive() {
                open.extend(&children);
                found.extend(children);
            }
        }
        found
    }
}

/// Every process, other than this one, whose environment has `name`, and its value there.
fn with_variable(name: &str) -> Vec<(ProcessId, Vec<u8>)> {
    let name = format!("{name}=");
    let own = std::process::id().to_string();
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|pid| *pid != own)
        .filter_map(|pid| pid.parse().ok().and_then(Pid::from_raw))
        .filter_map(ProcessId::of)
        .filter_map(|process| {
            let environ = fs::read(format!("/proc/{}/environ", process.pid)).ok()?;
            let mut entries = environ.split(|byte| *byte == 0);
            let value = entries.find_map(|entry| entry.strip_prefix(name.as_bytes()))?;
            Some((process, value.to_vec()))
        })
        .collect()
}

/// Every process, other than this one, whose environment has `name=value`.
fn marked(name: &str, value: &str) -> impl Iterator<Item = ProcessId> {
    with_variable(name)
        .into_iter()
        .filter(move |(_, found)| found == value.as_bytes())
        .map(|(process, _)| process)
}

/// What the variable `name` is in the environments of processes other than this one, each value once.
pub(crate) fn values_of(name: &str) -> BTreeSet<String> {
    with_variable(name)
        .into_iter()
        .filter_map(|(_, value)| String::from_utf8(value).ok())
        .collect()
}

/// Kills what is left of a tree whose supervisor is gone: `root`, what it started, and whatever carries the mark.
/// Blocks until all of it has ended; `false` if something still lives after ten seconds.
pub(crate) fn end_survivors(root: Option<ProcessId>, marker: &str, value: &str) -> bool {
    // Its number may be somebody else's by now, and so would be what that one started.
    let mut known: Vec<ProcessId> = root.into_iter().filter(|root| root.alive()).collect();
    for _ in 0..1000 {
        let found: Vec<_> = known
            .iter()
            .flat_map(|process| process.descendants())
            .chain(marked(marker, value))
            .collect();
        known.extend(found);
        known.retain(|process| process.alive());
        if known.is_empty() {
            return true;
        }
        known.sort_unstable();
        known.dedup();
        known
            .iter()
            .for_each(|process| process.signal(Signal::KILL));
        thread::sleep(Duration::from_millis(10));
    }
    false
}

/// Differs after each start of the machine; empty where the system does not tell.
pub(super) fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .unwrap_or_default()
        .trim()
        .to_owned()
}

fn children(pid: i32) -> Vec<i32> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    tasks
        .flatten()
        .filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|list| {
            list.split_ascii_whitespace()
                .filter_map(|pid| pid.parse().ok())
                .collect::<Vec<_>>()
        })
        .collect()
}

struct Stat {
    state: char,
    start: u64,
}

fn stat(pid: i32) -> Option<Stat> {
    let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let text = String::from_utf8_lossy(&text);
    // The second field is the program's name in parentheses, and may itself hold spaces and parentheses.
    let mut fields = text.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let start = fields.nth(18)?.parse().ok()?;
    Some(Stat { state, start })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use rustix::process::getpid;

    use super::*;

    #[test]
    fn knows_a_process_from_a_later_one_with_its_number() {
        let own = ProcessId::of(getpid()).unwrap();
        assert!(own.alive());
        let earlier = ProcessId {
            start: own.start - 1,
            ..own
        };
        assert!(!earlier.alive());
        earlier.signal(Signal::KILL);
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        assert_eq!(earlier.descendants(), []);
        assert!(end_survivors(
            Some(earlier),
            "SLIPWAY_TEST_NOTHING_HAS_THIS",
            ""
        ));
        assert_eq!(
            child.try_wait().unwrap(),
            None,
            "what the later one started lives"
        );
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_process_that_ended_is_not_alive_even_before_it_is_waited_for() {
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        let id = ProcessId::of(Pid::from_child(&child)).unwrap();
        assert!(ProcessId::of(getpid()).unwrap().descendants().contains(&id));
        assert!(end_survivors(Some(id), "SLIPWAY_TEST_NOTHING_HAS_THIS", ""));
        assert!(!id.alive());
        child.wait().unwrap();
        assert_eq!(ProcessId::of(Pid::from_raw(id.pid).unwrap()), None);
    }
}
