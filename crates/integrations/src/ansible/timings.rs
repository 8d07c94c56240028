//! How long a run took, by host and by task, from its events.

use std::collections::BTreeMap;

use super::events::{EventKind, HostStats, TaskStatus};

/// A run by its hosts and by its tasks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Timings {
    /// By name.
    pub hosts: BTreeMap<String, HostTime>,
    /// In the order in which they began.
    pub tasks: Vec<TaskTime>,
}

/// What a run did on one host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostTime {
    pub ended: HostStats,
    /// Milliseconds its tasks took, all together.
    pub ms: u64,
}

/// What one task of a run took.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskTime {
    pub id: String,
    pub name: String,
    /// Hosts on which it ended, skipped ones left out.
    pub hosts: u64,
    pub failed: u64,
    /// Milliseconds on the slowest host, and its name.
    pub slowest_ms: u64,
    pub slowest: String,
    /// Milliseconds on all hosts together.
    pub ms: u64,
}

impl Timings {
    /// Adds one more event.
    pub fn take(&mut self, kind: EventKind) {
        let EventKind::Host {
            host,
            task,
            task_id,
            status,
            ms,
            ..
        } = kind
        else {
            return;
        };
        let on = self.hosts.entry(host.clone()).or_default();
        on.ms += ms;
        let ended = match status {
            TaskStatus::Ok | TaskStatus::Ignored => &mut on.ended.ok,
            TaskStatus::Changed => &mut on.ended.changed,
            TaskStatus::Skipped => &mut on.ended.skipped,
            TaskStatus::Failed => &mut on.ended.failed,
            TaskStatus::Unreachable => &mut on.ended.unreachable,
        };
        *ended += 1;
        if status == TaskStatus::Skipped {
            return;
        }
        // Tasks come one after the other, so the one looked for is nearly always the last.
        let at = self.tasks.iter().rposition(|known| known.id == task_id);
        let at = at.unwrap_or_else(|| {
            self.tasks.push(TaskTime {
                id: task_id,
                name: task,
                ..TaskTime::default()
            });
            self.tasks.len() - 1
        });
        let task = &mut self.tasks[at];
        task.hosts += 1;
        task.ms += ms;
        task.failed += u64::from(matches!(
            status,
            TaskStatus::Failed | TaskStatus::Unreachable
        ));
        if ms >= task.slowest_ms {
            (task.slowest_ms, task.slowest) = (ms, host);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::ansible::events::Event;

    #[test]
    fn events_are_summed_up_by_host_and_by_task() {
        let mut lines =
            String::from("{\"seq\":1,\"t\":1,\"kind\":\"start\",\"playbook\":\"deploy.yml\"}\n");
        for (seq, host, id, task, status, ms) in [
            (2, "web-1", "a", "Copy", "changed", 300),
            (3, "web-2", "a", "Copy", "ok", 100),
            (4, "web-1", "b", "Restart", "failed", 50),
            (5, "web-2", "b", "Restart", "skipped", 0),
            (6, "web-3", "a", "Copy", "unreachable", 2000),
        ] {
            writeln!(
                lines,
                "{{\"seq\":{seq},\"t\":1,\"kind\":\"host\",\"host\":\"{host}\",\"task\":\"{task}\",\"task_id\":\"{id}\",\"status\":\"{status}\",\"ms\":{ms}}}"
            )
            .unwrap();
        }
        let mut timings = Timings::default();
        for line in lines.lines() {
            let event: Event = serde_json::from_str(line).unwrap();
            timings.take(event.kind);
        }
        let web_1 = &timings.hosts["web-1"];
        assert_eq!(
            (web_1.ended.changed, web_1.ended.failed, web_1.ms),
            (1, 1, 350)
        );
        assert_eq!(timings.hosts["web-2"].ended.skipped, 1);
        assert_eq!(timings.hosts["web-3"].ended.unreachable, 1);
        let [copy, restart] = timings.tasks.as_slice() else {
            panic!("{timings:?}")
        };
        assert_eq!((copy.hosts, copy.failed, copy.ms), (3, 1, 2400));
        assert_eq!((copy.slowest.as_str(), copy.slowest_ms), ("web-3", 2000));
        assert_eq!(
            (restart.hosts, restart.failed),
            (1, 1),
            "skipped ones are left out"
        );
    }
}
