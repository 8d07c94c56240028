//! What is left after a rollout, held against what must be.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::{Context, Result, bail};
use domain::Timestamp;
use domain::attempt::AttemptState;
use serde::{Deserialize, Serialize};
use view::job::{JobRow, LogPage};
use view::rollout::RolloutView;

use super::boundaries::Boundaries;
use super::killer::{Kills, Uptime};
use super::patiently;
use super::playbook::Given;
use crate::demo::journey::Journey;
use crate::disk;

/// Bytes of the smallest page.
const PAGE: usize = 4096;

/// A job is taken up, and a timer fires, within so many seconds in which the console was up.
const LATEST: f64 = 5.0;

/// What was seen in all rounds.
#[derive(Debug, Default, Serialize)]
pub struct Findings {
    /// Attempts that may have touched hosts.
    pub begun: u32,
    /// Of those, the ones whose supervisor or playbook was killed: their outcome is unknown, and said to be.
    pub lost: u32,
    /// Attempts whose supervisor was killed before it began; their jobs were queued again.
    pub never_began: u32,
    /// Jobs whose recorded end is not what their attempt left behind.
    pub lost_results: Vec<String>,
    /// Attempts whose stored output is not what an undisturbed run prints.
    pub log_differences: Vec<String>,
    /// Attempts that a host refused, because it had taken them before.
    #[serde(skip)]
    pub refused_by_hosts: Vec<String>,
    /// Longest time, in seconds in which the console was up, from the end of a playbook to the end of its job.
    pub slowest_adoption_seconds: f64,
    /// Longest time, in seconds in which the console was up, from the end of a bake to what came of it.
    pub slowest_timer_seconds: f64,
    /// Bakes that ended by their timer.
    pub timers: u32,
    /// Folders of attempts that were looked at: an ended rollout makes no more of them.
    #[serde(skip)]
    looked_at: HashSet<PathBuf>,
}

/// What a torture found.
#[derive(Debug, Serialize)]
pub struct Report {
    pub kills: Kills,
    pub rounds: u32,
    /// Hosts that one attempt would have touched twice.
    pub double_launches: Vec<String>,
    #[serde(flatten)]
    pub findings: Findings,
    /// Before which calls the console and supervisors were killed, and how often.
    pub at_console: Boundaries,
    pub at_supervisor: Boundaries,
    pub seconds: u64,
}

impl Report {
    pub fn text(&self) -> String {
        let Self {
            kills,
            rounds,
            double_launches,
            findings,
            at_console,
            at_supervisor,
            seconds,
        } = self;
        let mut text = format!(
            "\n{} kills in {rounds} rounds and {seconds} s: {} of the console, {} of supervisors\n\
             attempts that began    {}, of which {} lost their supervisor\n\
             attempts that did not  {}, whose jobs were queued again\n\
             double launches        {}\n\
             lost results           {}\n\
             differences in logs    {}\n\
             slowest adoption       {:.3} s (at most {LATEST} s)\n\
             slowest of {:4} timers {:.3} s (at most {LATEST} s)\n",
            kills.sum(),
            kills.console,
            kills.supervisor,
            findings.begun,
            findings.lost,
            findings.never_began,
            double_launches.len(),
            findings.lost_results.len(),
            findings.log_differences.len(),
            findings.slowest_adoption_seconds,
            findings.timers,
            findings.slowest_timer_seconds,
        );
        for (who, met) in [("console", at_console), ("supervisors", at_supervisor)] {
            if !met.is_empty() {
                let met: Vec<_> = met
                    .iter()
                    .map(|(at, times)| format!("{at} {times}"))
                    .collect();
                text.push_str(&format!("{who} killed before: {}\n", met.join(", ")));
            }
        }
        for (what, lines) in [
            ("twice", double_launches),
            ("lost", &findings.lost_results),
            ("log", &findings.log_differences),
        ] {
            for line in lines {
                text.push_str(&format!("{what}: {line}\n"));
            }
        }
        text
    }

    /// Fails if anything ran twice, was lost or came late.
    pub fn verdict(&self) -> Result<()> {
        let findings = &self.findings;
        let wrong = self.double_launches.len()
            + findings.lost_results.len()
            + findings.log_differences.len();
        if wrong > 0 {
            bail!("{wrong} attempts were not what they should be");
        }
        if findings.begun == 0 {
            bail!("nothing ran, so nothing was shown");
        }
        if self.kills.console == 0 || self.kills.supervisor == 0 {
            bail!(
                "only one of the console and its supervisors was killed, so nothing was shown of the other"
            );
        }
        let slowest = findings
            .slowest_adoption_seconds
            .max(findings.slowest_timer_seconds);
        if slowest > LATEST {
            bail!("something was taken up only after {slowest:.1} s");
        }
        Ok(())
    }
}

/// What an attempt's folder tells.
struct Attempt {
    folder: PathBuf,
    given: Given,
    begun: bool,
    exit: Option<Exit>,
}

#[derive(Debug, Deserialize)]
struct Exit {
    signal: Option<i32>,
    code: Option<i32>,
    cancelled: bool,
    /// Unix milliseconds.
    at: i64,
}

impl Attempt {
    fn read(folder: PathBuf) -> Result<Option<Self>> {
        let variables = folder.join("vars.json");
        // Killed before it was written: nothing was launched.
        if !variables.exists() {
            return Ok(None);
        }
        let exit = folder.join("exit.json");
        let exit = match exit.exists() {
            true => Some(serde_json::from_str(&disk::read(&exit)?)?),
            false => None,
        };
        Ok(Some(Self {
            given: Given::read(&folder.join("inventory.json"), &variables)?,
            begun: folder.join("begun").exists(),
            exit,
            folder,
        }))
    }

    fn ended_well(&self) -> bool {
        let exit = self.exit.as_ref();
        exit.is_some_and(|exit| exit.code == Some(0) && !exit.cancelled)
    }
}

impl Findings {
    /// Looks at everything that a rollout which has ended left behind.
    pub async fn look_at(
        &mut self,
        dir: &Path,
        rollout: &RolloutView,
        journey: &Journey<'_>,
        uptime: &Mutex<Uptime>,
        real: bool,
    ) -> Result<()> {
        let id = rollout.row.id.to_string();
        let mut attempts: BTreeMap<String, Vec<Attempt>> = BTreeMap::new();
        for entry in fs::read_dir(dir.join("data/attempts"))?.flatten() {
            if !self.looked_at.contains(&entry.path())
                && let Some(attempt) = Attempt::read(entry.path())?
                && attempt.given.rollout == id
            {
                self.looked_at.insert(entry.path());
                attempts
                    .entry(attempt.given.kind.clone())
                    .or_default()
                    .push(attempt);
            }
        }
        for (kind, attempts) in &mut attempts {
            let jobs: Vec<&JobRow> = rollout
                .jobs
                .iter()
                .filter(|job| job.kind.playbook() == *kind)
                .collect();
            self.results(&id, kind, attempts, &jobs);
            self.adoption(attempts, &jobs, uptime)?;
        }
        if real {
            for attempt in attempts.values().flatten() {
                let said = fs::read_to_string(attempt.folder.join("output.log"));
                // The sentence of release.sh.
                if said.is_ok_and(|said| said.contains("and takes none twice")) {
                    self.refused_by_hosts.push(attempt.given.attempt.clone());
                }
            }
        } else {
            for attempt in attempts.values().flatten().filter(|attempt| attempt.begun) {
                self.output(attempt)?;
            }
            self.shown(rollout, journey).await?;
        }
        self.timers(rollout, uptime)
    }

    /// What the console recorded is what the attempts left behind, one for one.
    fn results(&mut self, id: &str, kind: &str, attempts: &[Attempt], jobs: &[&JobRow]) {
        let begun: Vec<_> = attempts.iter().filter(|attempt| attempt.begun).collect();
        let lost = begun
            .iter()
            // A supervisor that was traced shares its fate with the playbook: what a signal ended is not known either.
            .filter(|attempt| {
                attempt
                    .exit
                    .as_ref()
                    .is_none_or(|exit| exit.signal.is_some() && !exit.cancelled)
            })
            .count();
        let well = begun.iter().filter(|attempt| attempt.ended_well()).count();
        let in_state = |wanted: &[AttemptState]| {
            jobs.iter()
                .filter(|job| wanted.contains(&job.state))
                .count()
        };
        self.begun += count(begun.len());
        self.lost += count(lost);
        self.never_began += count(attempts.len() - begun.len());
        for (what, left, recorded) in [
            ("ended well", well, in_state(&[AttemptState::Succeeded])),
            (
                "were lost",
                lost,
                in_state(&[AttemptState::Unknown, AttemptState::Resolved]),
            ),
        ] {
            if left != recorded {
                let states: Vec<_> = jobs.iter().map(|job| job.state.word()).collect();
                self.lost_results.push(format!(
                    "{left} attempts at {kind} of rollout {id} {what}, but {recorded} jobs say so ({})",
                    states.join(", ")
                ));
            }
        }
    }

    fn adoption(
        &mut self,
        attempts: &mut [Attempt],
        jobs: &[&JobRow],
        uptime: &Mutex<Uptime>,
    ) -> Result<()> {
        let mut exits: Vec<i64> = attempts
            .iter()
            .filter(|attempt| attempt.ended_well())
            .filter_map(|attempt| Some(attempt.exit.as_ref()?.at))
            .collect();
        let mut ends: Vec<Timestamp> = jobs
            .iter()
            .filter(|job| job.state == AttemptState::Succeeded)
            .filter_map(|job| job.ended_at)
            .collect();
        exits.sort_unstable();
        ends.sort_unstable();
        for (exit, end) in exits.into_iter().zip(ends) {
            let took = up(uptime)?.between(Timestamp::from_millisecond(exit)?, end);
            self.slowest_adoption_seconds = self.slowest_adoption_seconds.max(took);
        }
        Ok(())
    }

    fn output(&mut self, attempt: &Attempt) -> Result<()> {
        let stored = fs::read_to_string(attempt.folder.join("output.log")).unwrap_or_default();
        let whole = attempt.given.transcript();
        // Without its supervisor a run is cut off anywhere, but only ever after a whole line, or where the kernel goes from one
        // page of a write to the next: there it looks whether the process was killed.
        let cut_well =
            stored.is_empty() || stored.ends_with('\n') || stored.len().is_multiple_of(PAGE);
        let right = match attempt.ended_well() {
            true => stored == whole,
            false => whole.starts_with(&stored) && cut_well,
        };
        if !right {
            self.log_differences.push(format!(
                "{} of {} bytes in {}",
                stored.len(),
                whole.len(),
                attempt.folder.display()
            ));
        }
        Ok(())
    }

    /// The pages show what is stored: every line, once.
    async fn shown(&mut self, rollout: &RolloutView, journey: &Journey<'_>) -> Result<()> {
        for job in &rollout.jobs {
            let (mut next, mut expected) = (1, 1);
            loop {
                let id = job.id.to_string();
                let from = u64::to_string(&next);
                let asked = [("id", id.as_str()), ("from", &from), ("limit", "2000")];
                let page: LogPage =
                    patiently(async || journey.lena.read("job/log", &asked).await).await?;
                let numbers: Vec<_> = page.lines.iter().map(|line| line.number).collect();
                if numbers != (expected..expected + numbers.len() as u64).collect::<Vec<_>>() {
                    self.log_differences.push(format!(
                        "the page of job {id} misses lines after {expected}"
                    ));
                }
                expected += numbers.len() as u64;
                if page.lines.is_empty() || page.next == next {
                    break;
                }
                next = page.next;
            }
        }
        Ok(())
    }

    fn timers(&mut self, rollout: &RolloutView, uptime: &Mutex<Uptime>) -> Result<()> {
        for batch in &rollout.batches {
            let (Some(since), Some(verdict)) = (batch.verified_at, &batch.verdict) else {
                continue;
            };
            let planned = i64::try_from(batch.bake_seconds * 1000 / rollout.time_scale)?;
            let due = Timestamp::from_millisecond(since.as_millisecond() + planned)?;
            // A verdict before the end of the bake was no timer's.
            if batch.state != "promoted" || verdict.at < due {
                continue;
            }
            let end = batch.ended_at.context("a promoted batch without its end")?;
            let took = up(uptime)?.between(due, end);
            self.timers += 1;
            self.slowest_timer_seconds = self.slowest_timer_seconds.max(took);
        }
        Ok(())
    }
}

fn up(uptime: &Mutex<Uptime>) -> Result<std::sync::MutexGuard<'_, Uptime>> {
    uptime
        .lock()
        .map_err(|_| anyhow::anyhow!("the watch over the console ended"))
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
