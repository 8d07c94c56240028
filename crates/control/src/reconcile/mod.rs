//! The loops that make things go on: idempotent, without input, run on a period *and* on a signal.

mod job;
mod outbox;
mod outputs;
mod report;
mod rollout;

use std::{pin::pin, time::Duration};

use tokio::{
    sync::{Notify, watch},
    task::spawn_blocking,
    time::sleep,
};

use crate::Console;

/// In which what was queued is started.
const MOMENT: Duration = Duration::from_millis(50);

/// Runs every reconciler until `stop` turns true.
pub(crate) async fn run(console: &Console, stop: watch::Receiver<bool>) {
    tokio::join!(
        jobs(console, stop.clone()),
        settling(console, stop.clone()),
        judging(console, stop.clone()),
        outbox(console, stop.clone()),
        housekeeping(console, stop)
    );
}

async fn jobs(console: &Console, stop: watch::Receiver<bool>) {
    let mut pace = Pace {
        period: Duration::from_millis(250),
        due: &console.inner.jobs_due,
        stop,
    };
    let mut runner = job::Runner::new(console.clone());
    while pace.goes_on() {
        runner.round().await;
        // Whatever takes its time goes on beside the next round.
        let mut wait = pin!(pace.wait());
        let mut quiet = pin!(sleep(MOMENT));
        let mut ready = false;
        loop {
            tokio::select! {
                Some(done) = runner.done() => runner.take_in(done),
                () = &mut wait => break,
                () = &mut quiet, if !ready => {
                    ready = true;
                    runner.make_ready();
                }
            }
        }
    }
    // What is being launched is launched before the locks are given back, and not behind them.
    runner.finish().await;
}

async fn settling(console: &Console, stop: watch::Receiver<bool>) {
    let mut pace = Pace {
        period: Duration::from_millis(500),
        due: &console.inner.rollouts_due,
        stop,
    };
    while pace.goes_on() {
        rollout::settle(console).await;
        pace.wait().await;
    }
}

async fn judging(console: &Console, stop: watch::Receiver<bool>) {
    let mut pace = Pace {
        period: Duration::from_millis(500),
        due: &console.inner.looks_due,
        stop,
    };
    while pace.goes_on() {
        rollout::judge(console).await;
        pace.wait().await;
    }
}

async fn outbox(console: &Console, stop: watch::Receiver<bool>) {
    let mut pace = Pace {
        period: Duration::from_secs(2),
        due: &console.inner.outbox_due,
        stop,
    };
    while pace.goes_on() {
        outbox::round(console).await;
        pace.wait().await;
        // Nobody waits for a message; what was queued in the same moment starts first.
        sleep(MOMENT).await;
    }
}

async fn housekeeping(console: &Console, stop: watch::Receiver<bool>) {
    let mut pace = Pace {
        period: Duration::from_secs(3600),
        // Nobody asks for what is old to go.
        due: &Notify::new(),
        stop,
    };
    let mut outputs = outputs::Keeper::default();
    while pace.goes_on() {
        // It panics nowhere, and what it leaves is tried again.
        let _ = spawn_blocking(integrations::clear_left_behind).await;
        console.clear_checkouts().await;
        expire_sessions(console).await;
        outputs.round(console, &pace.stop).await;
        pace.wait().await;
    }
}

/// Deletes sessions that nobody can use any more.
async fn expire_sessions(console: &Console) {
    match console.store().sessions_expire(console.now()).await {
        Ok(0) => {}
        Ok(many) => tracing::debug!(many, "expired sessions were deleted"),
        Err(error) => tracing::warn!(%error, "expired sessions could not be deleted"),
    }
}

/// When a reconciler looks again: after a period, or as soon as it is told.
struct Pace<'a> {
    period: Duration,
    due: &'a Notify,
    stop: watch::Receiver<bool>,
}

impl Pace<'_> {
    fn goes_on(&self) -> bool {
        !*self.stop.borrow()
    }

    async fn wait(&mut self) {
        tokio::select! {
            () = self.due.notified() => {}
            () = tokio::time::sleep(self.period) => {}
            // Whoever held the other end is gone, and with it the wish to go on; the period keeps this from spinning.
            changed = self.stop.changed() => if changed.is_err() { tokio::time::sleep(self.period).await },
        }
    }
}

#[cfg(test)]
mod tests;
