//! An output by play, task and host: what the events say, and where in the output it stands.

use std::sync::LazyLock;

use domain::{Timestamp, text::is_unseen};
use integrations::{
    ansible::events::{self, EventKind, TaskStatus},
    output::{OutputError, Text},
};
use regex::bytes::Regex;
use view::job::{JobTasks, PlayGroup, TaskGroup, TaskHost};

use super::lines::Lines;

/// Tasks that are told, and hosts of one of them.
const MOST_TASKS: usize = 1_000;
const MOST_HOSTS: usize = 100;
/// Characters of a task's name.
const LONGEST_NAME: usize = 200;
/// Bytes of events and of output that are read for it.
const MOST_BYTES: u64 = 256 << 20;

/// How Ansible heads the lines of a task.
static HEADING: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?m)^(?:\x1b\[[0-9;]*m)*(?:TASK|RUNNING HANDLER) \[").ok());

/// Sorts what the events tell; then looks in the output for where each task stands.
pub(super) fn groups(events: &mut Text, mut lines: Lines<'_>) -> Result<JobTasks, OutputError> {
    let mut sorting = Sorting::default();
    events::each(events, 0..MOST_BYTES, |t, kind| sorting.take(t, kind))?;
    let mut tasks = sorting.tasks;
    let headings = match HEADING.as_ref() {
        Some(pattern) => lines.find(pattern, 1, MOST_TASKS + 1, MOST_BYTES)?.lines,
        None => Vec::new(),
    };
    let ends = headings.iter().skip(1).map(|next| next.number);
    let ends = ends.chain([lines.count() + 1]);
    let mut headings = headings.iter().zip(ends);
    let all = tasks.plays.iter_mut().flat_map(|play| &mut play.tasks);
    for task in all {
        // Both are in the order of the run, and either may lack one.
        let rest = headings.clone();
        let found = rest
            .enumerate()
            // The events have no control characters.
            .find(|(_, (heading, _))| {
                let heading: String = heading.text.chars().filter(|c| !c.is_control()).collect();
                heading.contains(task.name.as_str())
            });
        if let Some((passed, (heading, end))) = found {
            (task.line, task.lines) = (Some(heading.number), end - heading.number);
            headings.nth(passed);
        }
        task.name = shown(&task.name);
    }
    Ok(tasks)
}

/// A name as it may stand above a list: of a sensible length, and nothing in it turns what is around it.
fn shown(name: &str) -> String {
    let seen = |c| {
        if is_unseen(c) {
            char::REPLACEMENT_CHARACTER
        } else {
            c
        }
    };
    let mut shown: String = name.chars().take(LONGEST_NAME).map(seen).collect();
    if name.chars().nth(LONGEST_NAME).is_some() {
        shown.push('…');
    }
    shown
}

#[derive(Default)]
struct Sorting {
    tasks: JobTasks,
    /// Ids of the tasks, in the order in which they stand in the plays.
    ids: Vec<String>,
}

impl Sorting {
    fn take(&mut self, t: i64, kind: EventKind) {
        match kind {
            EventKind::Play { play, .. } => self.tasks.plays.push(PlayGroup {
                name: play,
                tasks: Vec::new(),
            }),
            EventKind::Task { task, task_id } => {
                if self.ids.len() >= MOST_TASKS {
                    self.tasks.more = true;
                    return;
                }
                self.ids.push(task_id);
                let at = Timestamp::from_millisecond(t).ok();
                self.play().tasks.push(TaskGroup {
                    name: task,
                    at,
                    ..TaskGroup::default()
                });
            }
            EventKind::Host {
                host,
                task_id,
                status,
                ms,
                message,
                ..
            } => {
                let Some(task) = self.task(&task_id) else {
                    return;
                };
                let (count, word, bad) = match status {
                    TaskStatus::Ok => (&mut task.ok, "ok", false),
                    TaskStatus::Ignored => (&mut task.ok, "failed, ignored", false),
                    TaskStatus::Changed => (&mut task.changed, "changed", false),
                    TaskStatus::Skipped => (&mut task.skipped, "skipped", false),
                    TaskStatus::Failed => (&mut task.failed, "failed", true),
                    TaskStatus::Unreachable => (&mut task.failed, "unreachable", true),
                };
                *count += 1;
                let room = if bad { 2 * MOST_HOSTS } else { MOST_HOSTS };
                // Those it was not meant for are counted and not listed.
                if status == TaskStatus::Skipped {
                    return;
                }
                if task.hosts.len() >= room {
                    task.more += 1;
                    return;
                }
                let result = TaskHost {
                    host,
                    status: word.to_owned(),
                    bad,
                    ms,
                    message,
                };
                // Trouble first.
                let at = if bad {
                    task.hosts.iter().take_while(|host| host.bad).count()
                } else {
                    task.hosts.len()
                };
                task.hosts.insert(at, result);
            }
            _ => {}
        }
    }

    fn play(&mut self) -> &mut PlayGroup {
        if self.tasks.plays.is_empty() {
            self.tasks.plays.push(PlayGroup::default());
        }
        let last = self.tasks.plays.len() - 1;
        &mut self.tasks.plays[last]
    }

    /// The task is nearly always the last.
    fn task(&mut self, id: &str) -> Option<&mut TaskGroup> {
        let behind = self.ids.iter().rev().position(|known| known == id)?;
        let tasks = self.tasks.plays.iter_mut().rev();
        tasks
            .flat_map(|play| play.tasks.iter_mut().rev())
            .nth(behind)
    }
}

#[cfg(test)]
mod tests {
    use integrations::{output::Shelf, supervisor::names};

    use super::*;
    use crate::log::lines::LineIndex;

    #[tokio::test]
    async fn an_output_is_sorted_by_play_task_and_host() {
        tokio::task::spawn_blocking(|| {
            let folder = tempfile::tempdir().unwrap();
            let run = folder.path().join("one");
            std::fs::create_dir(&run).unwrap();
            let events = [
                r#""kind":"play","play":"Deploy","hosts":2"#,
                r#""kind":"task","task":"Copy","task_id":"a""#,
                r#""kind":"host","host":"web-1","task":"Copy","task_id":"a","status":"changed","ms":300"#,
                r#""kind":"host","host":"web-2","task":"Copy","task_id":"a","status":"failed","ms":20,"message":"no space""#,
                r#""kind":"task","task":"Silent","task_id":"b""#,
                r#""kind":"task","task":"Restart","task_id":"c""#,
                r#""kind":"host","host":"web-1","task":"Restart","task_id":"c","status":"skipped","ms":0"#,
            ];
            let events: String = (1..)
                .zip(events)
                .map(|(seq, event)| format!("{{\"seq\":{seq},\"t\":1000,{event}}}\n"))
                .collect();
            std::fs::write(run.join(names::EVENTS), events).unwrap();
            let output = "PLAY [Deploy] ***\n\nTASK [release : Copy] ***\nchanged: [web-1]\nfatal: [web-2]\n\nRUNNING HANDLER [Restart] ***\nskipping: [web-1]\n";
            std::fs::write(run.join(names::OUTPUT), output).unwrap();
            let shelf = Shelf::new(folder.path().join("outputs"), None).unwrap();
            let mut events = Text::open(&run, names::EVENTS, &shelf).unwrap();
            let mut text = Text::open(&run, names::OUTPUT, &shelf).unwrap();
            let mut index = LineIndex::default();
            let lines = Lines::new(&mut text, &mut index).unwrap();
            let tasks = groups(&mut events, lines).unwrap();
            assert_eq!(tasks.plays.len(), 1);
            let [copy, silent, restart] = tasks.plays[0].tasks.as_slice() else {
                panic!("{tasks:?}")
            };
            assert_eq!((copy.changed, copy.failed), (1, 1));
            assert_eq!((copy.line, copy.lines), (Some(3), 4));
            let hosts: Vec<_> = copy.hosts.iter().map(|host| host.host.as_str()).collect();
            assert_eq!(hosts, ["web-2", "web-1"], "trouble first");
            assert_eq!(copy.hosts[0].message, "no space");
            assert_eq!((silent.line, silent.lines), (None, 0));
            assert_eq!((restart.line, restart.lines), (Some(7), 2));
            assert_eq!((restart.skipped, restart.more), (1, 0));
        })
        .await
        .unwrap();
    }
}
