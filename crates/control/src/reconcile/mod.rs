//! The loops that make things go on: idempotent, without input, run on a period *and* on a signal.

mod job;
mod outbox;
mod report;
mod rollout;

use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::Console;

/// Runs every reconciler until `stop` turns true.
pub(crate) async fn run(console: &Console, stop: watch::Receiver<bool>) {
    let inner = &console.inner;
    let mut jobs = job::Runner::new(console.clone());
    tokio::join!(
        every(Duration::from_millis(250), &inner.jobs_due, stop.clone(), async || jobs.round().await),
        every(Duration::from_millis(500), &inner.rollouts_due, stop.clone(), async || rollout::round(console).await),
        every(Duration::from_secs(2), &inner.outbox_due, stop, async || outbox::round(console).await),
    );
}

/// Calls `round` once a period and whenever `due` is notified. Rounds never overlap.
async fn every(period: Duration, due: &Notify, mut stop: watch::Receiver<bool>, mut round: impl AsyncFnMut()) {
    loop {
        if *stop.borrow() {
            return;
        }
        round().await;
        tokio::select! {
            () = due.notified() => {}
            () = tokio::time::sleep(period) => {}
            changed = stop.changed() => if changed.is_err() { return },
        }
    }
}
