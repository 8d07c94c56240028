//! Removes outputs that are older, or together larger, than the installation keeps.

use std::{fs, io, path::Path};

use domain::SignedDuration;
use policy::{Resource, SystemAction};
use store::KeptAttempt;

use crate::{Console, Error, log::on_disk};

/// Attempts looked at together.
const LIMIT: u32 = 500;

/// Removes the files of attempts of rollouts that ended, the oldest first. What still runs, and what a rollout that lives
/// has done, always stays.
pub(super) async fn round(console: &Console) {
    if let Err(error) = sweep(console).await {
        tracing::warn!(%error, "old outputs could not be removed; it is tried again");
    }
}

async fn sweep(console: &Console) -> Result<(), Error> {
    let keep = console.settings().outputs;
    if keep.days.is_none() && keep.bytes.is_none() {
        return Ok(());
    }
    let oldest = keep.days.and_then(|days| {
        let age = SignedDuration::from_hours(24 * i64::from(days));
        console.now().checked_sub(age).ok()
    });
    let mut total = match keep.bytes {
        Some(_) => size(console.settings().data_dir.join("attempts")).await?,
        None => 0,
    };
    loop {
        let kept = console.store().attempts_kept(LIMIT).await?;
        let (looked_at, mut removed) = (kept.len(), 0);
        for attempt in kept {
            let why = if let (Some(days), true) = (
                keep.days,
                oldest.is_some_and(|oldest| attempt.ended_at < oldest),
            ) {
                format!("Outputs are kept for {days} days.")
            } else if let Some(most) = keep.bytes.filter(|most| total > *most) {
                format!("The outputs together were larger than {} GB.", most >> 30)
            } else {
                return Ok(());
            };
            let folder = console.attempt_folder(attempt.id);
            total = total.saturating_sub(size(folder).await?);
            remove(console, &attempt, &why).await?;
            removed += 1;
        }
        if removed == 0 || looked_at < LIMIT as usize {
            return Ok(());
        }
    }
}

/// The files first: removed twice they are as gone as removed once, but what is marked is never looked at again.
async fn remove(console: &Console, attempt: &KeptAttempt, why: &str) -> Result<(), Error> {
    let folder = console.attempt_folder(attempt.id);
    on_disk(move || match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    })
    .await?;
    let permit = console.system(
        SystemAction::RUN_JOB,
        Resource::new("job", attempt.job, "output"),
    );
    console
        .store()
        .attempt_removed(&permit, attempt, why, console.now())
        .await?;
    Ok(())
}

/// Bytes of the files in a folder and below it; none where it is not there.
async fn size(folder: impl AsRef<Path> + Send + 'static) -> Result<u64, Error> {
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
                Ok(about) if about.is_dir() => below(&entry.path())?,
                Ok(about) => about.len(),
                Err(_) => 0,
            };
        }
        Ok(bytes)
    }
    on_disk(move || below(folder.as_ref())).await
}
