//! Output of jobs: ranges, search, the first failure, the whole file.

use std::{
    cmp::Reverse,
    collections::HashMap,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use domain::{
    id::{AttemptId, JobId},
    text::FieldError,
};
use integrations::{
    ansible::timings::{TaskTime, Timings},
    supervisor::names,
    tail,
};
use regex::bytes::{Regex, RegexBuilder};
use view::{
    error::ApiError,
    job::{HostTimes, JobTimes, LogFound, LogLine, LogPage, TaskTimes},
};

use crate::{Ctx, Error};

/// Lines one range holds at most.
const MOST_LINES: u32 = 2_000;
/// A line number every this many lines is remembered with its offset.
const STRIDE: u64 = 500;
/// Hosts of a job whose times are told.
const MOST_HOSTS: usize = 50;
/// Lines one search gives at most.
const MOST_FOUND: usize = 200;
/// Bytes one search reads at most; whoever wants more goes on from where it stopped.
const SEARCHED: u64 = 256 << 20;
/// Bytes in which the first failure is looked for when a page is drawn.
const GLANCED: u64 = 16 << 20;
/// Bytes read at once.
const CHUNK: usize = 1 << 20;

/// How Ansible begins a line that tells of a failure, whatever its colour.
static FAILURE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^(?:\x1b\[[0-9;]*m)*(?:fatal: |failed: |\[?ERROR(?:!|\]))").ok());

impl Ctx {
    /// Output of a job's newest attempt from line `from`, 1-based; at most `limit` lines.
    pub async fn log(&self, id: JobId, from: u64, limit: u32) -> Result<LogPage, ApiError> {
        self.answer(async {
            // Whether it has ended is read before the file, or lines written in between would be lost to whoever follows.
            let row = self.store().job(&self.scope()?, id).await?;
            let from = from.max(1);
            let Some((attempt, path)) = self.output_of(id).await? else {
                return Ok(LogPage {
                    job: id,
                    lines: Vec::new(),
                    next: from,
                    ended: row.state.ended(),
                });
            };
            let console = self.console.clone();
            let limit = limit.clamp(1, MOST_LINES) as usize;
            let lines = on_disk(move || {
                let logs = &console.inner.logs;
                logs.with(attempt, |index| index.lines(&path, from, limit))
            })
            .await?;
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

    /// Lines of a job's output that hold `text`, from line `from` on. Capitals count where the text has some.
    pub async fn find_in_log(
        &self,
        id: JobId,
        text: String,
        from: u64,
    ) -> Result<LogFound, ApiError> {
        self.answer(async {
            let text = text.trim();
            if text.is_empty() || text.len() > 200 {
                let message = "Search for between 1 and 200 characters.";
                return Err(FieldError::new("find", message).into());
            }
            let pattern = RegexBuilder::new(&regex::escape(text))
                .case_insensitive(!text.chars().any(char::is_uppercase))
                .build()
                .map_err(|error| Error::Internal(error.to_string()))?;
            self.store().job(&self.scope()?, id).await?;
            let Some((attempt, path)) = self.output_of(id).await? else {
                return Ok(LogFound::default());
            };
            let console = self.console.clone();
            on_disk(move || {
                let logs = &console.inner.logs;
                logs.with(attempt, |index| {
                    index.find(&path, &pattern, from.max(1), MOST_FOUND, SEARCHED)
                })
            })
            .await
        })
        .await
    }

    /// Number of the first line that tells of a failure, if it comes early enough to be seen at a glance.
    pub(crate) async fn first_failure(&self, id: JobId) -> Result<Option<u64>, Error> {
        let Some((attempt, path)) = self.output_of(id).await? else {
            return Ok(None);
        };
        let console = self.console.clone();
        let found = on_disk(move || {
            let Some(pattern) = FAILURE.as_ref() else {
                return Ok(LogFound::default());
            };
            let logs = &console.inner.logs;
            logs.with(attempt, |index| index.find(&path, pattern, 1, 1, GLANCED))
        });
        Ok(found.await?.lines.first().map(|line| line.number))
    }

    /// What a job did on its hosts, and how long its tasks took: sums of what its newest attempt reported.
    pub async fn job_times(&self, id: JobId) -> Result<JobTimes, ApiError> {
        self.answer(async {
            self.store().job(&self.scope()?, id).await?;
            let Some((_, path)) = self.output_of(id).await? else {
                return Ok(JobTimes::default());
            };
            let events = path.with_file_name(names::EVENTS);
            Ok(times(on_disk(move || Timings::read(&events)).await?))
        })
        .await
    }

    /// The file that holds a job's whole output, and a name to save it under.
    pub async fn output_file(&self, id: JobId) -> Result<(PathBuf, String), ApiError> {
        self.answer(async {
            let row = self.store().job(&self.scope()?, id).await?;
            let name = format!(
                "{}-{}-{}-batch-{}-{}.log",
                row.service, row.version, row.environment, row.batch, row.kind
            );
            match self.output_of(id).await? {
                Some((_, path)) if path.is_file() => Ok((path, name)),
                _ => Err(Error::NotFound(
                    "This job has no output. It may not have started yet.".to_owned(),
                )),
            }
        })
        .await
    }

    /// The file of a job's events; `None` when it was never tried.
    pub(crate) async fn events_of(&self, id: JobId) -> Result<Option<PathBuf>, Error> {
        let output = self.output_of(id).await?;
        Ok(output.map(|(_, path)| path.with_file_name(names::EVENTS)))
    }

    /// The newest attempt of a job and the file of its output; `None` when it was never tried. Whoever asks has read the
    /// job before, which tells one that is not there.
    async fn output_of(&self, id: JobId) -> Result<Option<(AttemptId, PathBuf)>, Error> {
        let attempt = self.store().newest_attempt(&self.scope()?, id).await?;
        Ok(attempt.map(|attempt| {
            let folder = self.console.attempt_folder(attempt.id);
            (attempt.id, folder.join(names::OUTPUT))
        }))
    }
}

fn times(timings: Timings) -> JobTimes {
    let Timings { hosts, tasks } = timings;
    let all = hosts.len();
    let mut hosts: Vec<HostTimes> = hosts
        .into_iter()
        .map(|(name, time)| HostTimes {
            name,
            ok: time.ended.ok,
            changed: time.ended.changed,
            failed: time.ended.failed,
            unreachable: time.ended.unreachable,
            skipped: time.ended.skipped,
            ms: time.ms,
        })
        .collect();
    hosts.sort_by_key(|host| Reverse((host.failed + host.unreachable > 0, host.ms)));
    hosts.truncate(MOST_HOSTS);
    let task = |task: TaskTime| TaskTimes {
        name: task.name,
        hosts: task.hosts,
        failed: task.failed,
        slowest: task.slowest,
        slowest_ms: task.slowest_ms,
    };
    JobTimes {
        more: u32::try_from(all - hosts.len()).unwrap_or(u32::MAX),
        hosts,
        tasks: tasks.into_iter().map(task).collect(),
    }
}

/// Works with files, away from what must not wait.
pub(crate) async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::Internal(error.to_string()))?
        .map_err(|error| {
            Error::Unavailable(format!(
                "Outputs in the data folder cannot be read or changed: {error}. Look at the folder and its disk."
            ))
        })
}

/// Where lines start in the outputs that are being read, so that a range far down is found without reading all above it.
#[derive(Debug, Default)]
pub(crate) struct LogIndexes(Mutex<HashMap<AttemptId, Arc<Mutex<LineIndex>>>>);

/// Attempts whose index is kept; an index is made again when somebody comes back to an older one.
const KEPT: usize = 256;

impl LogIndexes {
    /// Works with the index of one output. Whoever else reads it waits for what is being counted instead of counting it
    /// as well.
    fn with<T>(&self, attempt: AttemptId, work: impl FnOnce(&mut LineIndex) -> T) -> T {
        let index = {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() >= KEPT && !kept.contains_key(&attempt) {
                kept.retain(|_, index| Arc::strong_count(index) > 1);
            }
            Arc::clone(kept.entry(attempt).or_default())
        };
        let mut index = index.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut index)
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
        let (mut number, mut offset) = self.before(from);
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

    /// Number and offset of a line at or above line `from`, at most a stride above it.
    fn before(&self, from: u64) -> (u64, u64) {
        let stride = (from - 1) / STRIDE;
        let offset = match stride {
            0 => 0,
            _ => self.starts.get(stride as usize - 1).copied().unwrap_or(0),
        };
        (stride * STRIDE + 1, offset)
    }

    /// Lines that match, from line `from` on, until `most` were found or about `bytes` were read.
    fn find(
        &mut self,
        path: &Path,
        pattern: &Regex,
        from: u64,
        most: usize,
        bytes: u64,
    ) -> io::Result<LogFound> {
        self.extend(path)?;
        let mut found = LogFound::default();
        let (mut number, start) = self.before(from);
        let mut offset = start;
        while offset < self.offset {
            if offset - start >= bytes {
                found.next = Some(number);
                return Ok(found);
            }
            let (lines, next) = tail::read_whole(path, offset, CHUNK)?;
            if lines.is_empty() {
                break;
            }
            for line in lines.split_inclusive(|byte| *byte == b'\n') {
                let line = line.strip_suffix(b"\n").unwrap_or(line);
                if number >= from && pattern.is_match(line) {
                    if found.lines.len() == most {
                        found.next = Some(number);
                        return Ok(found);
                    }
                    found.lines.push(LogLine {
                        number,
                        text: tail::text(line),
                    });
                }
                number += 1;
            }
            offset = next;
        }
        Ok(found)
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
    fn what_is_searched_for_is_found_with_its_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("output.log");
        let mut file = File::create(&path).unwrap();
        for number in 1..=3000 {
            match number {
                700 => writeln!(file, "\u{1b}[0;31mfatal: [web-1]: FAILED!\u{1b}[0m").unwrap(),
                _ if number % 1000 == 0 => writeln!(file, "Needle {number}\r").unwrap(),
                _ => writeln!(file, "hay {number} fatal: no").unwrap(),
            }
        }
        write!(file, "needle unfinished").unwrap();
        let mut index = LineIndex::default();
        let mut find = |pattern: &str, from, most, bytes| {
            let pattern = Regex::new(pattern).unwrap();
            let found = index.find(&path, &pattern, from, most, bytes).unwrap();
            let numbers: Vec<u64> = found.lines.iter().map(|line| line.number).collect();
            (numbers, found.next, found.lines)
        };
        let (numbers, next, lines) = find("(?i)needle", 1, 10, u64::MAX);
        assert_eq!((numbers, next), (vec![1000, 2000, 3000], None));
        assert_eq!(lines[0].text, "Needle 1000");
        assert_eq!(find("(?i)needle", 1001, 10, u64::MAX).0, [2000, 3000]);
        assert_eq!(find("(?i)needle", 1, 2, u64::MAX).1, Some(3000));
        assert_eq!(find("nowhere", 1, 2, u64::MAX), (vec![], None, vec![]));
        let (numbers, next, _) = find("(?i)needle", 1, 10, 1);
        assert!(
            numbers.len() < 3 && next.is_some() || numbers.len() == 3,
            "one chunk holds them all, or says where to go on"
        );
        let pattern = FAILURE.as_ref().unwrap().as_str().to_owned();
        assert_eq!(find(&pattern, 1, 1, u64::MAX).0, [700]);
    }

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
