//! Reading jobs and their output; asking for one to be stopped.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use domain::{
    attempt::AttemptState,
    id::{AttemptId, JobId},
    text::Reason,
};
use integrations::{supervisor::names, tail};
use policy::{Action, Resource};
use view::{
    access::Allowance,
    error::ApiError,
    job::{JobRow, JobView, LogLine, LogPage},
    page::Page,
};

use crate::{Console, Ctx, Error, Signal, rollout};

const PAGE: u32 = 50;
/// Lines one range holds at most.
const MOST_LINES: u32 = 2_000;
/// A line number every this many lines is remembered with its offset.
const STRIDE: u64 = 500;

impl Console {
    /// Folder of one attempt.
    pub(crate) fn attempt_folder(&self, attempt: AttemptId) -> PathBuf {
        self.settings()
            .data_dir
            .join("attempts")
            .join(attempt.to_string())
    }
}

impl Ctx {
    /// One job.
    pub async fn job(&self, id: JobId) -> Result<JobRow, ApiError> {
        self.answer(async { Ok(self.store().job(&self.scope()?, id).await?) })
            .await
    }

    /// One job, and whether this person may stop it.
    pub async fn job_view(&self, id: JobId) -> Result<JobView, ApiError> {
        self.answer(async {
            let job = self.store().job(&self.scope()?, id).await?;
            let cancel = if job.state.ended() {
                Allowance::NotOffered
            } else {
                self.allowance(Action::CancelJob, self.job_resource(&job).await?)
            };
            let waits_for = if job.state == AttemptState::Queued {
                self.waits_for(&job).await?
            } else {
                String::new()
            };
            Ok(JobView {
                job,
                waits_for,
                cancel,
            })
        })
        .await
    }

    async fn waits_for(&self, job: &JobRow) -> Result<String, Error> {
        let busy = self.store().busy_host(&self.scope()?, job.id).await?;
        let limits = &self.console.settings().jobs;
        Ok(match busy {
            Some(host) => {
                format!("Another job works on {host}; a host is touched by one at a time.")
            }
            None => format!(
                "A free place: {} jobs run at once, and at most {} deployments in one environment. What brings hosts back goes first, and teams take turns.",
                limits.at_once, limits.deploys_in_environment
            ),
        })
    }

    async fn job_resource(&self, job: &JobRow) -> Result<Resource, Error> {
        let loaded = self.store().rollout(&self.scope()?, job.rollout).await?;
        Ok(Resource::new(
            "job",
            job.id,
            format!("{} of {}", job.kind, rollout::name(&loaded.rollout)),
        )
        .of_team(loaded.team))
    }

    /// A page of jobs, newest first.
    pub async fn jobs(&self, cursor: Option<String>) -> Result<Page<JobRow>, ApiError> {
        self.answer(async {
            Ok(self
                .store()
                .jobs_page(&self.scope()?, cursor.as_deref(), PAGE)
                .await?)
        })
        .await
    }

    /// Output of a job's newest attempt from line `from`, 1-based; at most `limit` lines.
    pub async fn log(&self, id: JobId, from: u64, limit: u32) -> Result<LogPage, ApiError> {
        self.answer(async {
            let scope = self.scope()?;
            // Whether it has ended is read before the file, or lines written in between would be lost to whoever follows.
            let row = self.store().job(&scope, id).await?;
            let from = from.max(1);
            let Some(attempt) = self.store().newest_attempt(&scope, id).await? else {
                return Ok(LogPage {
                    job: id,
                    lines: Vec::new(),
                    next: from,
                    ended: row.state.ended(),
                });
            };
            let console = self.console.clone();
            let path = self.console.attempt_folder(attempt.id).join(names::OUTPUT);
            let limit = limit.clamp(1, MOST_LINES) as usize;
            let lines = tokio::task::spawn_blocking(move || {
                console.inner.logs.lines(attempt.id, &path, from, limit)
            })
            .await
            .map_err(|error| Error::Internal(error.to_string()))?
            .map_err(|error| {
                Error::Unavailable(format!(
                    "The output of this job cannot be read: {error}. Look at the data directory."
                ))
            })?;
            let next = from + lines.len() as u64;
            let ended = row.state.ended() && lines.len() < limit;
            Ok(LogPage {
                job: id,
                lines,
                next,
                ended,
            })
        })
        .await
    }

    /// Asks for a job to be stopped. Hosts with a task in flight become unknown and are asked what they run.
    pub async fn cancel_job(&self, id: JobId, reason: String) -> Result<(), ApiError> {
        self.answer(async {
            let reason: Reason = reason.parse()?;
            let row = self.store().job(&self.scope()?, id).await?;
            let permit = self.permit(Action::CancelJob, self.job_resource(&row).await?)?;
            if row.state.ended() {
                return Err(Error::Conflict(
                    "The job has ended already; there is nothing to stop.".to_owned(),
                ));
            }
            self.store()
                .job_cancel(&permit, id, reason.as_str(), self.console.now())
                .await?;
            self.console.signal(Signal::Job(id));
            self.console.wake();
            Ok(())
        })
        .await
    }
}

/// Where lines start in the outputs that are being read, so that a range far down is found without reading all above it.
#[derive(Debug, Default)]
pub(crate) struct LogIndexes(Mutex<HashMap<AttemptId, Arc<Mutex<LineIndex>>>>);

/// Attempts whose index is kept; an index is made again when somebody comes back to an older one.
const KEPT: usize = 256;

impl LogIndexes {
    fn lines(
        &self,
        attempt: AttemptId,
        path: &Path,
        from: u64,
        limit: usize,
    ) -> io::Result<Vec<LogLine>> {
        let index = {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() >= KEPT && !kept.contains_key(&attempt) {
                kept.retain(|_, index| Arc::strong_count(index) > 1);
            }
            Arc::clone(kept.entry(attempt).or_default())
        };
        // Whoever else reads this output waits for what is being counted instead of counting it as well.
        let mut index = index.lock().unwrap_or_else(PoisonError::into_inner);
        index.lines(path, from, limit)
    }
}

/// Offsets of every [`STRIDE`]th line of one growing file.
#[derive(Debug, Default)]
struct LineIndex {
    /// `starts[k]` is the offset of line `k * STRIDE + 1`, for all k whose line has been seen to start; the first is 0.
    starts: Vec<u64>,
    /// Complete lines counted so far, and where the next one starts.
    lines: u64,
    offset: u64,
}

impl LineIndex {
    fn lines(&mut self, path: &Path, from: u64, limit: usize) -> io::Result<Vec<LogLine>> {
        self.extend(path)?;
        if from > self.lines {
            return Ok(Vec::new());
        }
        let stride = (from - 1) / STRIDE;
        let mut offset = if stride == 0 {
            0
        } else {
            self.starts.get(stride as usize - 1).copied().unwrap_or(0)
        };
        let mut number = stride * STRIDE + 1;
        let mut found = Vec::new();
        loop {
            let (lines, next) = tail::read_lines(path, offset, 256 * 1024)?;
            if lines.is_empty() {
                return Ok(found);
            }
            for line in lines {
                if number >= from {
                    found.push(LogLine {
                        number,
                        text: line.text,
                    });
                    if found.len() == limit {
                        return Ok(found);
                    }
                }
                number += 1;
            }
            offset = next;
        }
    }

    fn extend(&mut self, path: &Path) -> io::Result<()> {
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        file.seek(SeekFrom::Start(self.offset))?;
        let mut buffer = vec![0; 64 * 1024];
        let mut at = self.offset;
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                return Ok(());
            }
            for (index, byte) in buffer[..read].iter().enumerate() {
                if *byte == b'\n' {
                    self.lines += 1;
                    self.offset = at + index as u64 + 1;
                    if self.lines.is_multiple_of(STRIDE) {
                        self.starts.push(self.offset);
                    }
                }
            }
            at += read as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn any_range_of_a_growing_file_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("output.log");
        let mut index = LineIndex::default();
        assert!(index.lines(&path, 1, 10).unwrap().is_empty());
        let mut file = File::create(&path).unwrap();
        let mut written = 0_u64;
        for round in [1_u64, 499, 1, 700, 2300] {
            for _ in 0..round {
                written += 1;
                writeln!(file, "line {written}").unwrap();
            }
            write!(file, "unfinished").unwrap();
            for from in [1, 499, 500, 501, 502, 1000, 1001, written, written + 1] {
                let lines = index.lines(&path, from, 3).unwrap();
                let expected: Vec<u64> = (from..=written).take(3).collect();
                let numbers: Vec<u64> = lines.iter().map(|line| line.number).collect();
                assert_eq!(numbers, expected, "from {from} of {written}");
                for line in lines {
                    assert!(
                        line.text.ends_with(&format!("line {}", line.number)),
                        "{}: {}",
                        line.number,
                        line.text
                    );
                }
            }
            // What was unfinished becomes the beginning of the next line.
        }
    }
}
