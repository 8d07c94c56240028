//! The store on both databases.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod attempts;
mod audit;
mod back;
mod cancels;
mod claims;
mod commits;
mod damage;
mod imports;
mod inventory;
mod journey;
mod lock;
mod pages;
mod people;
mod projects;
mod reading;
mod rules;
mod variables;

use std::collections::BTreeMap;

use domain::{
    attempt::AttemptState,
    host::HostPhase,
    id::RolloutId,
    job::{JobEnd, JobReport},
    verdict::{Dimension, Measurement, Outcome, Verdict},
};
use store::{Claimed, Room, StoreError};
use testkit::World;

fn is_conflict<T: std::fmt::Debug>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Conflict { .. }))
}

fn verdict(world: &World, outcome: Outcome) -> Verdict {
    let measurement = Measurement {
        dimension: Dimension::ErrorRate,
        outcome,
        unit: "%".to_owned(),
        baseline: Some(0.1),
        measured: Some(0.25),
        limit: Some(1.1),
        baseline_samples: 60,
        measured_samples: 59,
        p_value: Some(0.5),
        explanation: "0.25 % of requests failed.".to_owned(),
    };
    Verdict::of(
        vec![measurement],
        vec!["sum:checkout.errors{*} by {host}".to_owned()],
        world.clock.now(),
    )
}

async fn phases(world: &World, id: RolloutId) -> Vec<(u32, HostPhase, u32)> {
    world
        .store()
        .host_counts(&world.everything(), id)
        .await
        .unwrap()
}

async fn claim(world: &World, worker: &str) -> Option<Claimed> {
    world.claim(worker, Room::ONE).await
}

async fn running(world: &World) -> (RolloutId, Claimed) {
    let id = world.released("1.1.0").await;
    let claimed = claim(world, "w1").await.unwrap();
    world
        .store()
        .attempt_state(
            &world.worker_permit(),
            claimed.attempt.id,
            claimed.attempt.fencing,
            AttemptState::Running,
            world.clock.now(),
        )
        .await
        .unwrap();
    (id, claimed)
}

fn report(end: JobEnd) -> JobReport {
    JobReport {
        end,
        hosts: BTreeMap::new(),
    }
}
