//! What a run with `--check` says that a real one would do.

use super::{EventKind, TaskStatus};

/// One task that would change a host, or would refuse to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    pub host: String,
    pub task: String,
    /// The real run would change the host here.
    pub changed: bool,
    /// Before and after as a unified diff, as far as the task tells it; without colours, at most 8,000 characters and a line.
    pub diff: String,
    /// Why the real run would fail here, or why the host could not be asked; empty otherwise.
    pub refusal: String,
}

/// Collects what a dry run found, in the order in which it was told; `None` when a play was not a dry run, or none began.
pub fn dry_run<'a>(events: impl IntoIterator<Item = &'a EventKind>) -> Option<Vec<Preview>> {
    let mut played = false;
    let mut previews = Vec::new();
    for event in events {
        match event {
            EventKind::Play { check: false, .. } => return None,
            EventKind::Play { check: true, .. } => played = true,
            EventKind::Host {
                host,
                task,
                status,
                message,
                diff,
                ..
            } if matches!(
                status,
                TaskStatus::Changed | TaskStatus::Failed | TaskStatus::Unreachable
            ) =>
            {
                previews.push(Preview {
                    host: host.clone(),
                    task: task.clone(),
                    changed: *status == TaskStatus::Changed,
                    diff: diff.clone(),
                    refusal: message.clone(),
                });
            }
            _ => {}
        }
    }
    played.then_some(previews)
}
