//! Kills the console and its supervisors, and knows when the console was up.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Result;
use domain::Timestamp;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::sleep;
use url::Url;

use super::boundaries::{self, Boundaries};

/// How long a supervisor is waited for before the console is killed instead.
const HUNT: Duration = Duration::from_millis(500);
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// The command line of every supervisor.
const SUPERVISOR: &str = "slipway\0supervise\0";

/// What was killed.
#[derive(Debug, Default, Clone, Copy, Serialize)]
pub struct Kills {
    pub console: u32,
    pub supervisor: u32,
}

impl Kills {
    pub const fn sum(self) -> u32 {
        self.console + self.supervisor
    }
}

pub struct Killer {
    /// Holds the id of the console's process.
    pid_file: PathBuf,
    attempts: PathBuf,
    /// Before a kill, in milliseconds: some playbooks are to end between two.
    longest_pause: u64,
    random: StdRng,
    pub kills: Kills,
    /// Where supervisors were killed, when at boundaries.
    pub boundaries: Boundaries,
    /// Which boundary is next.
    turns: usize,
    hunts: JoinSet<Option<String>>,
    /// Processes that are known to be supervisors of this console or none.
    seen: HashSet<i32>,
}

impl Killer {
    /// Kills what runs in `dir`. A playbook takes about `longest_pause` milliseconds.
    pub fn new(dir: &Path, longest_pause: u64, seed: u64) -> Self {
        Self {
            pid_file: dir.join("slipway.pid"),
            attempts: dir.join("data/attempts"),
            longest_pause,
            random: StdRng::seed_from_u64(seed),
            kills: Kills::default(),
            boundaries: Boundaries::new(),
            turns: 0,
            hunts: JoinSet::new(),
            seen: HashSet::new(),
        }
    }

    /// Kills one after the other until it has killed so many in all.
    pub async fn rage(&mut self, until: u32) {
        while self.kills.sum() < until {
            if self.random.random_ratio(1, 2)
                && let Some(pid) = self.hunt().await
            {
                self.kills.supervisor += u32::from(kill(pid));
            } else {
                self.pause().await;
                self.kill_console();
            }
        }
    }

    pub fn kill_console(&mut self) {
        let killed = self.console().is_some_and(kill);
        self.kills.console += u32::from(killed);
    }

    async fn pause(&mut self) {
        sleep(Duration::from_millis(
            self.random.random_range(0..self.longest_pause),
        ))
        .await;
    }

    /// Waits for a supervisor and lets it come some way, or none.
    async fn hunt(&mut self) -> Option<Pid> {
        let until = Instant::now() + HUNT;
        while Instant::now() < until {
            if let Some(pid) = self.supervisors().choose(&mut self.random).copied() {
                if self.random.random_ratio(3, 4) {
                    self.pause().await;
                }
                return Some(pid);
            }
            sleep(Duration::from_millis(2)).await;
        }
        None
    }

    /// Counts how often the console was started again, for when something else kills it, and kills supervisors at their
    /// boundaries, until it was so often. Some of them go free, so that some playbooks come to their end.
    pub async fn at_boundaries(&mut self, until: u32) {
        let mut last = self.console();
        while self.kills.sum() < until {
            sleep(Duration::from_millis(4)).await;
            let now = self.console();
            if now.is_some() && now != last {
                self.kills.console += 1;
                last = now;
            }
            for pid in self.new_supervisors() {
                if self.random.random_ratio(2, 3) {
                    self.turns += 1;
                    self.hunts
                        .spawn(boundaries::kill_supervisor(pid, self.turns));
                }
            }
            while let Some(met) = self.hunts.try_join_next() {
                if let Ok(Some(boundary)) = met {
                    self.kills.supervisor += 1;
                    *self.boundaries.entry(boundary).or_default() += 1;
                }
            }
        }
    }

    /// Supervisors that were not seen before, also those that wait for a run.
    fn new_supervisors(&mut self) -> Vec<Pid> {
        let console = self.console();
        let pids: Vec<i32> = pids().collect();
        self.seen.retain(|pid| pids.contains(pid));
        let mut found = Vec::new();
        for pid in pids {
            if self.seen.contains(&pid) {
                continue;
            }
            let line = command_line(pid).unwrap_or_default();
            let ours = || console.is_some() && parent(pid) == console || self.has_run(pid);
            if line == SUPERVISOR {
                // Whose it is may be known later.
                if ours() {
                    self.seen.insert(pid);
                    found.extend(Pid::from_raw(pid));
                }
            // What the console starts goes by the console's line for a moment.
            } else if !line.contains("\0serve") {
                self.seen.insert(pid);
            }
        }
        found
    }

    /// Whether a supervisor was told to run something of this console: it holds the lock of an attempt.
    fn has_run(&self, supervisor: i32) -> bool {
        let open = fs::read_dir(format!("/proc/{supervisor}/fd"));
        let mut files = open.into_iter().flatten().flatten();
        files.any(|file| {
            fs::read_link(file.path()).is_ok_and(|file| file.starts_with(&self.attempts))
        })
    }

    fn console(&self) -> Option<Pid> {
        let pid = fs::read_to_string(&self.pid_file)
            .ok()?
            .trim()
            .parse()
            .ok()?;
        // Its number may belong to somebody else by now.
        command_line(pid)?
            .contains("\0serve")
            .then(|| Pid::from_raw(pid))?
    }

    /// Supervisors that have a run.
    fn supervisors(&self) -> Vec<Pid> {
        pids()
            .filter(|pid| command_line(*pid).is_some_and(|line| line == SUPERVISOR))
            .filter(|pid| self.has_run(*pid))
            .filter_map(Pid::from_raw)
            .collect()
    }
}

fn pids() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn parent(pid: i32) -> Option<Pid> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
    Pid::from_raw(parent.trim().parse().ok()?)
}

fn kill(pid: Pid) -> bool {
    kill_process(pid, Signal::KILL).is_ok()
}

fn command_line(pid: i32) -> Option<String> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    Some(String::from_utf8_lossy(&line).into_owned())
}

/// When the console answered.
#[derive(Debug, Default)]
pub struct Uptime {
    /// From and to, in order.
    up: Vec<(Timestamp, Timestamp)>,
}

impl Uptime {
    /// Looks on, for ever.
    pub async fn watch(console: &Url, seen: &std::sync::Mutex<Self>) -> Result<()> {
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(1))
            .build()?;
        let ready = console.join("/readyz")?;
        let mut since = None;
        loop {
            let answer = client.get(ready.clone()).send().await;
            let now = Timestamp::now();
            match answer {
                Ok(answer) if answer.status().is_success() => {
                    let from = *since.get_or_insert(now);
                    if let Ok(mut seen) = seen.lock() {
                        seen.up.pop_if(|(began, _)| *began == from);
                        seen.up.push((from, now));
                    }
                }
                _ => since = None,
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// For how long the console was up between the two, in seconds.
    pub fn between(&self, from: Timestamp, to: Timestamp) -> f64 {
        let spans = self.up.iter().map(|(began, ended)| {
            (*ended)
                .min(to)
                .duration_since((*began).max(from))
                .as_secs_f64()
                .max(0.0)
        });
        spans.sum()
    }
}
