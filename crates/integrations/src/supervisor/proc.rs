//! Processes: who they are, what they started, ending them.

use std::{collections::BTreeSet, fs, io, thread, time::Duration};

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
        stat(pid).ok().flatten().map(|stat| Self {
            pid,
            start: stat.start,
        })
    }

    /// It is there and has not ended (one that nobody has waited for yet has), or it cannot be told.
    pub fn alive(self) -> bool {
        match stat(self.pid) {
            Ok(None) => false,
            Ok(Some(stat)) => stat.start == self.start && !matches!(stat.state, 'Z' | 'X'),
            Err(_) => true,
        }
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

/// Every process, other than this one, whose environment has `name`, and its value there. Those of other users, which
/// cannot be looked at, are none of ours.
fn with_variable(name: &str) -> io::Result<Vec<(ProcessId, Vec<u8>)>> {
    let name = format!("{name}=");
    let own = std::process::id();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let entry = entry?.file_name();
        let number = entry.to_str().and_then(|number| number.parse::<i32>().ok());
        let Some(pid) = number.filter(|pid| pid.cast_unsigned() != own) else {
            continue;
        };
        let Some(stat) = stat(pid)? else { continue };
        let Some(environ) = there(fs::read(format!("/proc/{pid}/environ")))? else {
            continue;
        };
        let mut entries = environ.split(|byte| *byte == 0);
        let value = entries.find_map(|entry| entry.strip_prefix(name.as_bytes()));
        if let Some(value) = value {
            let start = stat.start;
            found.push((ProcessId { pid, start }, value.to_vec()));
        }
    }
    Ok(found)
}

/// Every process, other than this one, whose environment has `name=value`.
fn marked(name: &str, value: &str) -> io::Result<Vec<ProcessId>> {
    let mut found = with_variable(name)?;
    found.retain(|(_, found)| found == value.as_bytes());
    Ok(found.into_iter().map(|(process, _)| process).collect())
}

/// What the variable `name` is in the environments of processes other than this one, each value once.
pub(crate) fn values_of(name: &str) -> io::Result<BTreeSet<String>> {
    let found = with_variable(name)?.into_iter();
    Ok(found
        .filter_map(|(_, value)| String::from_utf8(value).ok())
        .collect())
}

/// Nothing where the process has ended, or is somebody else's; what else goes wrong says nothing of it.
fn there<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied
            ) || error.raw_os_error() == Some(Errno::SRCH.raw_os_error()) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Kills what is left of a tree whose supervisor is gone: `root`, what it started, and whatever carries the mark.
/// Blocks until all of it has ended; `false` if something still lives after ten seconds.
pub(crate) fn end_survivors(root: Option<ProcessId>, marker: &str, value: &str) -> bool {
    // Its number may be somebody else's by now, and so would be what that one started.
    let mut known: Vec<ProcessId> = root.into_iter().filter(|root| root.alive()).collect();
    for _ in 0..1000 {
        let marked = marked(marker, value);
        // Where it cannot be seen what lives, nothing has ended for certain.
        let seen = marked.is_ok();
        let found: Vec<_> = known
            .iter()
            .flat_map(|process| process.descendants())
            .chain(marked.into_iter().flatten())
            .collect();
        known.extend(found);
        known.retain(|process| process.alive());
        if seen && known.is_empty() {
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

/// Nothing where there is no such process.
fn stat(pid: i32) -> io::Result<Option<Stat>> {
    let Some(text) = there(fs::read(format!("/proc/{pid}/stat")))? else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(&text);
    let read = || {
        // The second field is the program's name in parentheses, and may itself hold spaces and parentheses.
        let mut fields = text.rsplit_once(')')?.1.split_ascii_whitespace();
        let state = fields.next()?.chars().next()?;
        let start = fields.nth(18)?.parse().ok()?;
        Some(Stat { state, start })
    };
    Ok(read())
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
