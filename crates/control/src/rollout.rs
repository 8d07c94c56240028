//! Rollouts: requesting one, deciding on it, reading it.

mod act;
mod allow;
mod draft;
mod read;

pub(crate) use act::close_ended;

use domain::{host::Host, plan::Plan, rollout::Rollout};
use policy::Resource;
use store::Loaded;

/// “checkout 1.4.2 to production”.
pub(crate) fn name(rollout: &Rollout) -> String {
    format!(
        "{} {} to {}",
        rollout.plan.service_slug, rollout.plan.release.version, rollout.plan.environment_slug
    )
}

/// Refuses to deploy to hosts that are not as they were when the plan was made: another address or another variable would
/// run what nobody approved.
pub(crate) fn check_hosts<'a>(
    plan: &Plan,
    hosts: impl IntoIterator<Item = &'a Host>,
) -> Result<(), String> {
    let churn = plan.churn_among(hosts);
    if churn.is_none() {
        Ok(())
    } else {
        Err(churn.to_string())
    }
}

/// A rollout as a thing to ask permission about.
pub(crate) fn resource(loaded: &Loaded) -> Resource {
    Resource::new("rollout", loaded.rollout.id, name(&loaded.rollout))
        .of_team(loaded.team)
        .requested_by(loaded.rollout.requested_by)
}
