//! What is said of a job that ended badly.

use std::{
    io,
    path::{Path, PathBuf},
};

use domain::{
    host::HostOutcome,
    job::{JobEnd, JobReport},
};
use integrations::{file::is_displaced, supervisor::names, tail};
use tokio::task::spawn_blocking;

use super::keeper::BYTES;
use crate::Error;

/// What Ansible complained about last, at the end of its output; at most [`COMPLAINT`] characters.
pub(super) async fn last_complaint(output: PathBuf) -> Option<String> {
    const COMPLAINT: usize = 400;
    // Of what it says when it ends badly, the error stands among the last lines.
    const END: u64 = 64 << 10;
    let read = spawn_blocking(move || {
        let length = std::fs::metadata(&output)?.len();
        tail::read_lines(&output, length.saturating_sub(END), END as usize)
    });
    let (lines, _) = read.await.ok()?.ok()?;
    let complains = |line: &&tail::Line| {
        let text = line.text.trim_start();
        text.starts_with("ERROR!") || text.starts_with("[ERROR]")
    };
    let line = lines.iter().rfind(complains)?;
    Some(
        line.text
            .chars()
            .filter(|c| !c.is_control())
            .take(COMPLAINT)
            .collect(),
    )
}

/// Whether the output says that a play began, whatever the events say: Ansible goes on without a plugin that fails.
pub(super) async fn announces_a_play(output: PathBuf) -> Result<bool, Error> {
    let announces = move || -> io::Result<bool> {
        let mut offset = 0;
        loop {
            let (lines, next) = match tail::read_lines(&output, offset, BYTES) {
                // What was in it nobody knows, so it may have announced one.
                Err(error) if is_displaced(&error) => return Ok(true),
                read => read?,
            };
            if lines.iter().any(|line| line.text.contains("PLAY [")) {
                return Ok(true);
            }
            if next == offset {
                return Ok(false);
            }
            offset = next;
        }
    };
    let announces = spawn_blocking(announces)
        .await
        .map_err(|error| Error::Internal(error.to_string()))?;
    announces.map_err(|error| {
        Error::Unavailable(format!("The output of an attempt cannot be read: {error}."))
    })
}

/// What a supervisor that never began complained about last.
pub(super) fn last_words(folder: &Path) -> String {
    const TAIL: usize = 2000;
    let path = folder.join(names::SUPERVISOR_LOG);
    let length = std::fs::metadata(&path).map_or(0, |file| file.len());
    let lines = tail::read_lines(&path, length.saturating_sub(TAIL as u64), TAIL);
    let lines = lines.map(|(lines, _)| lines).unwrap_or_default();
    let said: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
    match said.as_slice() {
        [] => format!("It did not say why: {} is empty.", path.display()),
        [.., _, _, _] => said[said.len() - 3..].join(" "),
        said => said.join(" "),
    }
}

/// Why a job ended badly, in one sentence; empty when it did not.
pub(super) fn message(report: &JobReport) -> String {
    match &report.end {
        JobEnd::CouldNotStart { message } | JobEnd::Lost { message } => message.clone(),
        JobEnd::Cancelled => "It was cancelled.".to_owned(),
        JobEnd::TimedOut => "It ran into its deadline.".to_owned(),
        JobEnd::Completed => {
            let all = report.hosts.len();
            let hosts = if all == 1 { "host" } else { "hosts" };
            let of = |what: &str, is: fn(&HostOutcome) -> bool| {
                let outcomes = report.hosts.values().map(|host| &host.outcome);
                let found: Vec<&HostOutcome> = outcomes.filter(|outcome| is(outcome)).collect();
                let first = found.first()?;
                Some(format!(
                    "{} of {all} {hosts} {what}: {}",
                    found.len(),
                    first.message()
                ))
            };
            let said = [
                of("failed", |outcome| {
                    matches!(outcome, HostOutcome::Failed { .. })
                }),
                of("could not be reached", |outcome| {
                    matches!(outcome, HostOutcome::Unreachable { .. })
                }),
                of("did not say what became of them", |outcome| {
                    matches!(outcome, HostOutcome::Unknown { .. })
                }),
            ];
            said.into_iter().flatten().collect::<Vec<_>>().join(" ")
        }
    }
}
