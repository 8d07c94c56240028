//! A playbook that says a great deal: events taken in, and a long log looked at and searched.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use domain::attempt::AttemptState;
use domain::job::JobKind;
use serde::Serialize;
use tokio::process::Command;
use view::job::{JobPage, JobRow, LogPage};

use super::execution::{attempt_of, soon};
use super::queue::back_and_forth;
use super::{in_browser, median};
use crate::demo::journey::{Journey, PRODUCTION};
use crate::demo::stage::Scene;
use crate::torture::playbook::{Burst, NEEDLE};

/// Opens the output of a job.
const SCRIPT: &str = "log.mjs";
const LINES: u32 = 1_000_000;
const EVENTS: u32 = 240_000;
const SLOW_LINES: u32 = 1_000;
/// Lines of a first view.
const VIEW: usize = 500;
const ROUNDS: usize = 5;

/// What was seen.
#[derive(Debug, Serialize)]
pub struct Output {
    pub events: u32,
    /// From the start of the playbook's process to the end of its job.
    pub events_per_second: f64,
    pub lines: u32,
    pub bytes: u64,
    /// The first lines, when nobody has read the log before.
    pub first_view_ms: f64,
    /// The last lines, after that.
    pub last_view_ms: f64,
    /// Medians of looking for a word of one line near the end.
    pub search_seconds: f64,
    pub rg_seconds: f64,
    /// Milliseconds from the printing of a line until it stood in a browser that follows, of each line.
    pub to_browser_ms: Vec<f64>,
    /// Bytes a browser uses after a tenth of a long read, and at its end.
    pub heap: (f64, f64),
}

/// Runs one playbook that tells many events and one that prints many lines. `dir` holds the stand-in.
pub async fn measure(scene: &Scene, journey: &Journey<'_>, dir: &Path) -> Result<Output> {
    let say = |what: &str| scene.narrator.say("bench", what);
    say(&format!("a playbook tells {EVENTS} events"));
    let told = Burst {
        events: EVENTS,
        ..Burst::default()
    };
    let job = deploy(scene, journey, dir, told).await?;
    let begun = attempt_of(&scene.data, &job)?.join("begun");
    let began = domain::Timestamp::try_from(fs::metadata(begun)?.modified()?)?;
    let ended = job.ended_at.context("the job has no end")?;
    let events_per_second = f64::from(EVENTS) / ended.duration_since(began).as_secs_f64();

    say(&format!("a playbook prints {LINES} lines"));
    let printed = Burst {
        lines: LINES,
        ..Burst::default()
    };
    let job = deploy(scene, journey, dir, printed).await?;
    let id = job.id.to_string();
    let view = async |from: u32| -> Result<f64> {
        let (from, limit) = (from.to_string(), VIEW.to_string());
        let asked = [("id", id.as_str()), ("from", &from), ("limit", &limit)];
        let began = Instant::now();
        let page: LogPage = journey.lena.read("job/log", &asked).await?;
        let took = began.elapsed().as_secs_f64() * 1000.0;
        if page.lines.len() != VIEW {
            bail!("{} lines were shown from line {from} on", page.lines.len());
        }
        Ok(took)
    };
    let first_view_ms = view(1).await?;
    let last_view_ms = view(LINES - VIEW as u32).await?;

    say("somebody reads on in them");
    let heap =
        in_browser::<(f64, f64)>(scene, &journey.lena, SCRIPT, &["--job", &id, "--heap"]).await?;

    // What rg searches is what was printed, whatever form Slipway keeps it in.
    let raw = dir.join("raw.log");
    let mut file = BufWriter::new(File::create(&raw)?);
    for line in printed.printed() {
        writeln!(file, "{line}")?;
    }
    file.flush()?;
    let (mut search, mut rg) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let asked = [
            ("id", id.as_str()),
            ("wish[from]", "1"),
            ("wish[limit]", "1"),
            ("wish[find]", NEEDLE),
            ("wish[after]", "1"),
            ("wish[by_task]", "false"),
        ];
        let began = Instant::now();
        let page: JobPage = journey.lena.read("job/page", &asked).await?;
        search.push(began.elapsed().as_secs_f64());
        let found = page.found.context("nothing was searched for")?;
        let found = found.map_err(anyhow::Error::msg)?;
        if found.lines.len() != 1 {
            bail!("{} lines were found", found.lines.len());
        }
        let began = Instant::now();
        let found = Command::new("rg")
            .args(["--no-config", "--fixed-strings", "--line-number", NEEDLE])
            .arg(&raw)
            .stdin(Stdio::null())
            .output()
            .await
            .context("rg could not be started: install it with `scripts/setup bench`")?;
        rg.push(began.elapsed().as_secs_f64());
        if found.stdout.iter().filter(|byte| **byte == b'\n').count() != 1 {
            bail!("rg did not find the line");
        }
    }
    say(&format!(
        "a playbook prints {SLOW_LINES} lines, one by one, and somebody follows"
    ));
    let to_browser_ms = follow(scene, journey, dir).await?;
    Ok(Output {
        to_browser_ms,
        heap,
        events: EVENTS,
        events_per_second,
        lines: LINES,
        bytes: fs::metadata(&raw)?.len(),
        first_view_ms,
        last_view_ms,
        search_seconds: median(search.into_iter()),
        rg_seconds: median(rg.into_iter()),
    })
}

/// Follows a deploy that prints slowly in a browser; how long each line took until it stood there, in milliseconds.
async fn follow(scene: &Scene, journey: &Journey<'_>, dir: &Path) -> Result<Vec<f64>> {
    let slow = Burst {
        slow_lines: SLOW_LINES,
        ..Burst::default()
    };
    slow.write(dir)?;
    let page = released(scene, journey).await?;
    let runs = |job: &&JobRow| job.kind == JobKind::Deploy && job.state == AttemptState::Running;
    let view = soon(journey, &page, "running", |view| {
        view.jobs.iter().any(|job| runs(&job))
    })
    .await?;
    let job = view.jobs.iter().find(runs).context("nothing runs")?;
    let id = job.id.to_string();
    let waits: Vec<f64> =
        in_browser(scene, &journey.lena, SCRIPT, &["--job", &id, "--live"]).await?;
    if waits.len() < SLOW_LINES as usize / 2 {
        bail!(
            "only {} of {SLOW_LINES} lines came while the browser looked",
            waits.len()
        );
    }
    back_and_forth(journey, &page).await?;
    Burst::default().write(dir)?;
    Ok(waits)
}

/// A rollout on its way; gives its page.
async fn released(scene: &Scene, journey: &Journey<'_>) -> Result<String> {
    let page = journey
        .request(&scene.record.artifacts.good, PRODUCTION, "100%", "48h")
        .await?;
    journey.press(&journey.ada, &page, "approve").await?;
    journey.press(&journey.omar, &page, "release").await?;
    Ok(page)
}

/// One deploy that says so much, there and back; gives its job.
async fn deploy(scene: &Scene, journey: &Journey<'_>, dir: &Path, burst: Burst) -> Result<JobRow> {
    burst.write(dir)?;
    let page = released(scene, journey).await?;
    let ended = back_and_forth(journey, &page).await?;
    Burst::default().write(dir)?;
    ended
        .jobs
        .into_iter()
        .find(|job| job.kind == JobKind::Deploy && job.state == AttemptState::Succeeded)
        .context("the deploy did not succeed")
}
