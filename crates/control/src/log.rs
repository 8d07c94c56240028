//! Output of jobs: ranges, search, what it comes to, the whole file.

mod groups;
mod kept;
mod lines;

use std::{
    path::{Path, PathBuf},
    sync::LazyLock,
    time::Duration,
};

use domain::{
    attempt::Attempt,
    id::{AttemptId, JobId},
    text::FieldError,
};
use futures::{Stream, StreamExt as _, stream};
use integrations::{
    output::{OutputError, Text},
    supervisor::names,
};
use regex::bytes::{Regex, RegexBuilder};
use tokio::{fs, sync::Semaphore, time::sleep};
use view::{
    error::ApiError,
    job::{Foreseen, JobPage, JobPageWish, JobTasks, JobTimes, LogFound, LogPage},
};

pub(crate) use kept::Outputs;
use kept::Summary;
use lines::Lines;

use crate::{Ctx, Error};

/// Lines one range holds at most.
const MOST_LINES: u32 = 2_000;
/// Lines one search gives at most.
const MOST_FOUND: usize = 200;
/// Bytes one search reads at most; whoever wants more goes on from where it stopped.
const SEARCHED: u64 = 256 << 20;
/// How often it is looked whether an output has grown.
const GLANCE: Duration = Duration::from_millis(100);
/// Bytes of a download read at once.
const CHUNK: usize = 1 << 20;

/// How Ansible begins a line that tells of a failure, whatever its colour.
static FAILURE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?m)^(?:\x1b\[[0-9;]*m)*(?:fatal: |failed: |\[?ERROR(?:!|\]))").ok()
});

/// Tells that an output has grown since it was read. It asks nobody but the file system, so it may look often.
#[derive(Debug)]
pub struct Growth {
    /// Nothing where the job was never tried.
    output: Option<PathBuf>,
    /// In bytes.
    seen: u64,
}

impl Growth {
    async fn of(folder: Option<&Path>) -> Self {
        let mut growth = Self {
            output: folder.map(|folder| folder.join(names::OUTPUT)),
            seen: 0,
        };
        growth.seen = growth.length().await;
        growth
    }

    async fn length(&self) -> u64 {
        match &self.output {
            None => 0,
            Some(output) => fs::metadata(output).await.map_or(0, |file| file.len()),
        }
    }

    /// Waits until the output is longer, or shorter, than when it was read, and a little in any case: of what comes all the
    /// time, much is read at once.
    pub async fn more(&self) {
        loop {
            sleep(GLANCE).await;
            if self.length().await != self.seen {
                return;
            }
        }
    }
}

impl Ctx {
    /// Output of a job's newest attempt from line `from`, 1-based; at most `limit` lines.
    pub async fn log(&self, id: JobId, from: u64, limit: u32) -> Result<LogPage, ApiError> {
        let followed = self.follow_log(id, from, limit).await?;
        Ok(followed.0)
    }

    /// As [`Self::log`], with what tells that there is more.
    pub async fn follow_log(
        &self,
        id: JobId,
        from: u64,
        limit: u32,
    ) -> Result<(LogPage, Growth), ApiError> {
        self.answer(async {
            // Whether it has ended is read before the file, or lines written in between would be lost to whoever follows.
            let row = self.store().job(&self.scope()?, id).await?;
            let folder = self.folder(id).await?;
            let growth = Growth::of(folder.as_ref().map(|(_, folder)| folder.as_path())).await;
            let from = from.max(1);
            let limit = limit.clamp(1, MOST_LINES) as usize;
            let read = self.lines_in(folder, move |mut lines| {
                Ok((lines.range(from, limit)?, lines.count()))
            });
            let (lines, total) = read.await?.unwrap_or_default();
            let next = from + lines.len() as u64;
            let ended = row.state.ended() && next > total;
            let page = LogPage {
                job: id,
                lines,
                next,
                total,
                ended,
            };
            Ok((page, growth))
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
            if text.is_empty() || text.chars().count() > 200 {
                let message = "Search for between 1 and 200 characters.";
                return Err(FieldError::new("find", message).into());
            }
            let pattern = RegexBuilder::new(&regex::escape(text))
                .case_insensitive(!text.chars().any(char::is_uppercase))
                .build()
                .map_err(|error| Error::Internal(error.to_string()))?;
            self.store().job(&self.scope()?, id).await?;
            let find =
                move |mut lines: Lines<'_>| lines.find(&pattern, from.max(1), MOST_FOUND, SEARCHED);
            Ok(self.lines(id, find).await?.unwrap_or_default())
        })
        .await
    }

    /// All that the page of a job shows. An output that cannot be read just now takes nothing else from it.
    pub async fn job_page(&self, id: JobId, wish: JobPageWish) -> Result<JobPage, ApiError> {
        let view = self.job_view(id).await?;
        let output = told(self.log(id, wish.from, wish.limit).await)?;
        let mut page = JobPage {
            view,
            times: JobTimes::default(),
            foreseen: Foreseen::default(),
            output,
            found: None,
            tasks: None,
        };
        if page.output.is_ok() {
            page.times = told(self.job_times(id).await)?.unwrap_or_default();
            page.foreseen = told(self.foreseen(id).await)?.unwrap_or_default();
            if !wish.find.trim().is_empty() {
                let found = self.find_in_log(id, wish.find, wish.after).await;
                page.found = Some(told(found)?);
            }
            if wish.by_task {
                page.tasks = Some(told(self.job_tasks(id).await)?);
            }
        }
        Ok(page)
    }

    /// The output of a job's newest attempt by play, task and host.
    pub async fn job_tasks(&self, id: JobId) -> Result<JobTasks, ApiError> {
        self.answer(async {
            self.store().job(&self.scope()?, id).await?;
            let Some(mut events) = self.open(id, names::EVENTS).await? else {
                return Ok(JobTasks::default());
            };
            let sorted = self.lines(id, move |lines| groups::groups(&mut events, lines));
            Ok(sorted.await?.unwrap_or_default())
        })
        .await
    }

    /// Number of the first line that tells of a failure, of a job that has ended. `None` also where the output cannot be
    /// read, which is told where it is shown.
    pub(crate) async fn first_failure(&self, id: JobId) -> Result<Option<u64>, Error> {
        let Some(attempt) = self.newest_attempt(id).await? else {
            return Ok(None);
        };
        match self.summary(attempt).await {
            Ok(summary) => Ok(summary.first_failure),
            Err(Error::Unavailable(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What a job did on its hosts, and how long its tasks took: sums of what its newest attempt reported.
    pub async fn job_times(&self, id: JobId) -> Result<JobTimes, ApiError> {
        self.answer(async {
            self.store().job(&self.scope()?, id).await?;
            let Some(attempt) = self.newest_attempt(id).await? else {
                return Ok(JobTimes::default());
            };
            if attempt.ended_at.is_some() {
                return Ok(self.summary(attempt).await?.times);
            }
            let (console, id) = (self.console.clone(), attempt.id);
            on_disk(move || {
                let inner = &console.inner;
                let folder = console.attempt_folder(id);
                inner.outputs.times_so_far(id, &folder, &inner.shelf)
            })
            .await
        })
        .await
    }

    async fn summary(&self, attempt: Attempt) -> Result<Summary, Error> {
        let (console, id) = (self.console.clone(), attempt.id);
        on_disk(move || {
            let inner = &console.inner;
            let folder = console.attempt_folder(id);
            inner.outputs.summary(id, &folder, &inner.shelf)
        })
        .await
    }

    /// A job's whole output in pieces, and a name to save it under.
    pub async fn whole_output(
        &self,
        id: JobId,
    ) -> Result<
        (
            String,
            impl Stream<Item = Result<Vec<u8>, Error>> + Send + use<>,
        ),
        ApiError,
    > {
        self.answer(async {
            let row = self.store().job(&self.scope()?, id).await?;
            let name = format!(
                "{}-{}-{}-batch-{}-{}.log",
                row.service, row.version, row.environment, row.batch, row.kind
            );
            let none = || {
                Error::NotFound("This job has no output: it has not started yet, printed nothing, or its output is no longer in the data folder.".to_owned())
            };
            let text = self.open(id, names::OUTPUT).await?.ok_or_else(none)?;
            if !text.exists() {
                return Err(none());
            }
            // The first piece is read before anything is answered: who cannot have it is told so.
            let (first, text) = piece(text, 0).await?;
            let rest = stream::try_unfold((text, first.len() as u64), async |(text, offset)| {
                let (bytes, text) = piece(text, offset).await?;
                let next = offset + bytes.len() as u64;
                Ok((!bytes.is_empty()).then_some((bytes, (text, next))))
            });
            Ok((name, stream::iter([Ok(first)]).chain(rest)))
        })
        .await
    }

    /// Works with the lines of the output of a job's newest attempt; `None` when it was never tried.
    async fn lines<T: Send + 'static>(
        &self,
        id: JobId,
        work: impl FnOnce(Lines<'_>) -> Result<T, OutputError> + Send + 'static,
    ) -> Result<Option<T>, Error> {
        let folder = self.folder(id).await?;
        self.lines_in(folder, work).await
    }

    async fn lines_in<T: Send + 'static>(
        &self,
        folder: Option<(AttemptId, PathBuf)>,
        work: impl FnOnce(Lines<'_>) -> Result<T, OutputError> + Send + 'static,
    ) -> Result<Option<T>, Error> {
        let Some((attempt, folder)) = folder else {
            return Ok(None);
        };
        let console = self.console.clone();
        let done = on_disk(move || {
            let inner = &console.inner;
            let mut text = Text::open(&folder, names::OUTPUT, &inner.shelf)?;
            inner.outputs.lines(attempt, &mut text, work)
        });
        Ok(Some(done.await?))
    }

    /// The newest attempt of a job; `None` when it was never tried. Whoever asks has read the job before, which tells one
    /// that is not there.
    async fn newest_attempt(&self, id: JobId) -> Result<Option<Attempt>, Error> {
        Ok(self.store().newest_attempt(&self.scope()?, id).await?)
    }

    /// Opens a file of a job's newest attempt; `None` when it was never tried.
    async fn open(&self, id: JobId, name: &'static str) -> Result<Option<Text>, Error> {
        let Some((_, folder)) = self.folder(id).await? else {
            return Ok(None);
        };
        let shelf = self.console.inner.shelf.clone();
        let text = on_disk(move || Text::open(&folder, name, &shelf)).await?;
        Ok(Some(text))
    }

    /// Works with the events of a job's newest attempt; `None` when it was never tried.
    pub(crate) async fn events<T: Send + 'static>(
        &self,
        id: JobId,
        work: impl FnOnce(&mut Text) -> Result<T, OutputError> + Send + 'static,
    ) -> Result<Option<T>, Error> {
        let Some(mut text) = self.open(id, names::EVENTS).await? else {
            return Ok(None);
        };
        Ok(Some(on_disk(move || work(&mut text)).await?))
    }

    async fn folder(&self, id: JobId) -> Result<Option<(AttemptId, PathBuf)>, Error> {
        let attempt = self.newest_attempt(id).await?;
        Ok(attempt.map(|attempt| (attempt.id, self.console.attempt_folder(attempt.id))))
    }
}

async fn piece(mut text: Text, offset: u64) -> Result<(Vec<u8>, Text), Error> {
    on_disk(move || Ok((text.bytes(offset, CHUNK)?, text))).await
}

/// What is not available just now, as a part of an answer.
fn told<T>(answer: Result<T, ApiError>) -> Result<Result<T, String>, ApiError> {
    match answer {
        Ok(value) => Ok(Ok(value)),
        Err(ApiError::Unavailable { message } | ApiError::Invalid { message, .. }) => {
            Ok(Err(message))
        }
        Err(error) => Err(error),
    }
}

/// Works with outputs, away from what must not wait.
pub(crate) async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, OutputError> + Send + 'static,
) -> Result<T, Error> {
    // A store in a folder works in further threads of the same pool, so this never takes all of them.
    static PLACES: Semaphore = Semaphore::const_new(64);
    let _place = PLACES.acquire().await;
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::Internal(error.to_string()))?
        .map_err(|error| Error::Unavailable(error.to_string()))
}
