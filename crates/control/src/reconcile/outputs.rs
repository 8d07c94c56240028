//! Seals outputs some time after their jobs ended, and removes those that are older, or together larger, than the
//! installation keeps.

use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
};

use domain::{SignedDuration, id::AttemptId};
use integrations::{
    ansible::command,
    output::{OutputError, remove, seal},
};
use policy::{Kind, Resource, SystemAction};
use store::KeptAttempt;
use tokio::sync::watch;

use crate::{Console, Error, log::on_disk};

/// Attempts looked at together.
const LIMIT: u32 = 500;
/// A job is looked at most when it has just ended; its output stays as it is for so long.
const FRESH: SignedDuration = SignedDuration::from_hours(1);
/// Outputs that cannot be stored, one after the other, before it is the store that is taken to be gone.
const PATIENCE: u32 = 3;

/// Looks after the outputs of attempts that ended.
#[derive(Default)]
pub(super) struct Keeper {
    /// Attempts whose output could not be sealed or removed, which was said once.
    told: HashSet<AttemptId>,
    /// Where the last round of sealing gave up: the next one goes on behind it, or what cannot be sealed would keep all
    /// others waiting.
    behind: Option<KeptAttempt>,
}

impl Keeper {
    /// Removes what is not kept, then seals what has ended. What fails is tried again the next time and stops nothing else.
    /// A round ends early when the server stops.
    pub async fn round(&mut self, console: &Console, stop: &watch::Receiver<bool>) {
        if let Err(error) = self.sweep(console).await {
            tracing::warn!(%error, "old outputs could not be removed; it is tried again");
        }
        if let Err(error) = self.seal(console, stop).await {
            tracing::warn!(%error, "outputs could not be sealed; it is tried again");
        }
    }

    /// Removes the outputs of attempts of rollouts that ended, the oldest first. What still runs, and what a rollout that
    /// lives has done, always stays.
    async fn sweep(&mut self, console: &Console) -> Result<(), Error> {
        let keep = &console.settings().outputs;
        if keep.keep_days.is_none() && keep.keep_bytes.is_none() {
            return Ok(());
        }
        let oldest = keep.keep_days.and_then(|days| {
            let age = SignedDuration::from_hours(24 * i64::from(days));
            console.now().checked_sub(age).ok()
        });
        let mut total = match keep.keep_bytes {
            Some(_) => {
                let attempts = console.settings().data_dir.join("attempts");
                let plain = on_disk(move || size(attempts)).await?;
                plain.saturating_add(console.store().sealed_bytes().await?)
            }
            None => 0,
        };
        let (mut last, mut refused) = (None, 0);
        loop {
            let kept = console.store().attempts_kept(last.as_ref(), LIMIT).await?;
            let Some(newest) = kept.last() else {
                return Ok(());
            };
            last = Some(newest.clone());
            // The end of a run is read from its folder again if a power cut takes it from the database.
            console.store().settle().await?;
            for attempt in kept {
                let why = if let (Some(days), true) = (
                    keep.keep_days,
                    oldest.is_some_and(|oldest| attempt.ended_at < oldest),
                ) {
                    format!("Outputs are kept for {days} days.")
                } else if let Some(most) = keep.keep_bytes.filter(|most| total > *most) {
                    format!("The outputs together were larger than {} GB.", most >> 30)
                } else {
                    return Ok(());
                };
                let folder = console.attempt_folder(attempt.id);
                let shelf = console.inner.shelf.clone();
                let removed = on_disk(move || {
                    let plain = size(folder.clone()).unwrap_or(0);
                    Ok(remove(&folder, &shelf).map(|()| plain))
                });
                match removed.await? {
                    Ok(plain) => {
                        total = total.saturating_sub(plain.saturating_add(attempt.sealed_bytes));
                        removed_from(console, &attempt, &why).await?;
                        self.told.remove(&attempt.id);
                        refused = 0;
                    }
                    Err(error) => {
                        // It stays, and no younger one is removed in its place.
                        total = total.saturating_sub(attempt.sealed_bytes);
                        self.tell(&attempt, "removed", &error);
                        refused += u32::from(error.is_of_store());
                        if refused == PATIENCE {
                            return Ok(());
                        }
                    }
                }
            }
        }
    }

    async fn seal(&mut self, console: &Console, stop: &watch::Receiver<bool>) -> Result<(), Error> {
        let now = console.now();
        let before = now.checked_sub(FRESH).unwrap_or(now);
        let (mut last, mut refused) = (self.behind.take(), 0);
        loop {
            let ended = console
                .store()
                .attempts_unsealed(before, last.as_ref(), LIMIT)
                .await?;
            let Some(newest) = ended.last() else {
                return Ok(());
            };
            last = Some(newest.clone());
            for attempt in ended {
                if *stop.borrow() {
                    return Ok(());
                }
                let (console, id) = (console.clone(), attempt.id);
                let sealing = {
                    let console = console.clone();
                    on_disk(move || Ok(seal_one(&console, id)))
                };
                match sealing.await? {
                    Ok(object_bytes) => {
                        let permit = permit(&console, &attempt);
                        let (store, now) = (console.store(), console.now());
                        store.attempt_sealed(&permit, id, object_bytes, now).await?;
                        self.told.remove(&id);
                        refused = 0;
                    }
                    Err(error) => {
                        self.tell(&attempt, "sealed", &error);
                        refused += u32::from(error.is_of_store());
                        if refused == PATIENCE {
                            self.behind = Some(attempt);
                            return Ok(());
                        }
                    }
                }
            }
        }
    }

    /// Counts every failure; says each attempt's once.
    fn tell(&mut self, attempt: &KeptAttempt, what: &'static str, error: &OutputError) {
        metrics::counter!("slipway_outputs_failed_total", "what" => what).increment(1);
        if self.told.insert(attempt.id) {
            tracing::error!(attempt = %attempt.id, %error, "an output could not be {what}; it is tried again every hour");
        }
    }
}

#[cfg(test)]
impl Keeper {
    /// Attempts whose output makes trouble.
    pub fn told(&self) -> usize {
        self.told.len()
    }
}

/// Seals one run. Its summary is made while the text is at hand.
fn seal_one(console: &Console, attempt: AttemptId) -> Result<u64, OutputError> {
    let folder = console.attempt_folder(attempt);
    let inner = &console.inner;
    if folder.exists() {
        // What could not be removed when the run ended. With it in its place nothing is taken for done.
        command::forget(&folder).map_err(|why| OutputError::Disk {
            path: folder.clone(),
            why: io::Error::other(why.to_string()),
        })?;
        inner.outputs.summary(attempt, &folder, &inner.shelf)?;
    }
    seal(&folder, &inner.shelf)
}

fn permit(console: &Console, attempt: &KeptAttempt) -> policy::Permit {
    console.system(
        SystemAction::RUN_JOB,
        Resource::new(Kind::Job, attempt.job, "output"),
    )
}

/// Written behind the files: removed twice they are as gone as removed once, but what is marked is never looked at again.
async fn removed_from(console: &Console, attempt: &KeptAttempt, why: &str) -> Result<(), Error> {
    let permit = permit(console, attempt);
    let (store, now) = (console.store(), console.now());
    Ok(store.attempt_removed(&permit, attempt, why, now).await?)
}

/// Bytes of the files in a folder and below it; none where it is not there.
fn size(folder: PathBuf) -> Result<u64, OutputError> {
    fn below(folder: &Path) -> io::Result<u64> {
        let entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            entries => entries?,
        };
        let mut bytes = 0;
        for entry in entries {
            let entry = entry?;
            // Of a link only the link itself counts. What goes away meanwhile has no size.
            bytes += match entry.metadata() {
                // A folder that cannot be looked into stops no other.
                Ok(about) if about.is_dir() => below(&entry.path()).unwrap_or(0),
                Ok(about) => about.len(),
                Err(_) => 0,
            };
        }
        Ok(bytes)
    }
    below(&folder).map_err(|why| OutputError::Disk { path: folder, why })
}
