//! How long it takes to decide whether somebody may do something, when the policies have been read.

use std::hint::black_box;
use std::time::Instant;

use anyhow::{Result, ensure};
use domain::id::{RolloutId, TeamId, UserId};
use policy::{Action, Grant, Kind, Resource, Role, Subject};
use serde::Serialize;
use uuid::Uuid;

/// Roles that somebody holds: one, and as many as a large company gives all its people together.
pub const GRANTS: [usize; 2] = [1, 10_000];
/// Decisions before those that count, and those that count.
const WARM: usize = 200;
const COUNTED: usize = 2_000;

/// What was seen of one person.
#[derive(Debug, Serialize)]
pub struct Decisions {
    pub grants: usize,
    /// Microseconds of each, one after the other.
    pub took_us: Vec<f64>,
}

/// A member asks for a rollout of the team whose role they were given last.
pub fn measure(grants: usize) -> Result<Decisions> {
    policy::check()?;
    let teams: Vec<TeamId> = (0..grants).map(|_| TeamId(Uuid::now_v7())).collect();
    let held = teams
        .iter()
        .map(|team| Grant::new(Role::Member, Some(*team)));
    let user = UserId(Uuid::now_v7());
    let subject = Subject::new(user, "Maria".to_owned(), Vec::new(), held.collect());
    let mut took_us = Vec::with_capacity(COUNTED);
    for turn in 0..WARM + COUNTED {
        let mut resource = Resource::new(Kind::Rollout, RolloutId(Uuid::now_v7()), "checkout");
        resource.place.team = teams.last().copied();
        let began = Instant::now();
        let decided = policy::permit(black_box(&subject), Action::RequestRollout, resource);
        let took = began.elapsed();
        ensure!(
            decided.is_ok(),
            "a member may not ask for a rollout of their team"
        );
        if turn >= WARM {
            took_us.push(took.as_secs_f64() * 1e6);
        }
    }
    Ok(Decisions { grants, took_us })
}
