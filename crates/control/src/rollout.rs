//! Rollouts: requesting one, deciding on it, reading it.

mod act;
mod allow;
mod draft;
mod read;
mod trouble;

pub(crate) use act::close_ended;

use domain::rollout::Rollout;
use policy::{Kind, Resource};
use store::Loaded;

/// Who approved where the environment requires no approval.
const NOBODY: &str = "nobody: the environment requires no approval";

/// “checkout 1.4.2 to production”.
pub(crate) fn name(rollout: &Rollout) -> String {
    format!(
        "{} {} to {}",
        rollout.plan.service_slug, rollout.plan.release.version, rollout.plan.environment_slug
    )
}

/// A rollout as a thing to ask permission about.
pub(crate) fn resource(loaded: &Loaded) -> Resource {
    Resource::new(Kind::Rollout, loaded.rollout.id, name(&loaded.rollout))
        .of_team(loaded.team)
        .of_service(loaded.rollout.plan.service)
        .in_environment(loaded.rollout.plan.environment)
        .requested_by(loaded.rollout.requested_by)
}

#[cfg(test)]
mod tests;
