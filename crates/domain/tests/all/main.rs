//! What the domain promises, checked from outside.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on should stop where it stands"
)]

mod attempt;
mod build;
mod change_request;
mod delivery;
mod inventory;
mod partition;
mod plan;
mod rollout_back;
mod rollout_cases;
mod rollout_failures;
mod rollout_forward;
mod rollout_table;
mod rollout_waiting;
mod rollout_walk;
mod selection;
mod stage;
