//! From a job and its plan to the folder of an attempt: what was approved, with what it is given today.

use std::{path::PathBuf, sync::Arc, time::Duration};

use domain::{
    id::{AttemptId, RolloutId},
    job::JobKind,
    plan::Plan,
    project::PlannedPlaybooks,
};
use integrations::{
    ansible::command::{self, Run, Target},
    supervisor::{self, Spec},
};
use policy::{Permit, system_scope};
use store::JobHost;
use tokio::task::spawn_blocking;

use crate::{Console, Error, project::Pinned};

/// One attempt at a job.
pub(crate) struct Wanted {
    pub attempt: AttemptId,
    pub rollout: RolloutId,
    /// 1-based.
    pub batch: u32,
    pub kind: JobKind,
    pub plan: Arc<Plan>,
    pub hosts: Vec<JobHost>,
}

/// A playbook is ended after this long. Abort and roll back wait for a probe, and it only asks. The more hosts, the longer:
/// two cores do about twenty tasks a second, a probe has four of them for each host and a deploy a dozen.
fn deadline(kind: JobKind, hosts: usize) -> Duration {
    let (minutes, seconds_a_host) = match kind {
        JobKind::Deploy | JobKind::RollBack => (120, 3),
        JobKind::DryRun => (30, 3),
        JobKind::Probe | JobKind::ProbeUnknown => (5, 1),
    };
    let hosts = u32::try_from(hosts).unwrap_or(u32::MAX);
    Duration::from_secs(60 * minutes) + Duration::from_secs(seconds_a_host).saturating_mul(hosts)
}

impl Console {
    /// Writes the attempt's folder, once what makes it known for good has `settled`: what is written holds secrets, and
    /// nobody would find them otherwise. Of what goes wrong only [`Error::Store`] is worth another try; everything else ends the
    /// job with its sentence.
    pub(crate) async fn write_run(
        &self,
        permit: &Permit,
        folder: PathBuf,
        wanted: Wanted,
        settled: impl Future<Output = Result<(), Error>>,
    ) -> Result<(), Error> {
        let plan = &wanted.plan;
        let pinned = self.pinned(plan).await?;
        let approved = async {
            // Only what brings the release was approved; the way back stays open when the playbooks were upgraded meanwhile.
            if !matches!(wanted.kind, JobKind::Deploy | JobKind::DryRun) {
                return Ok(());
            }
            pinned.refuse_others(plan).await?;
            let churn = plan.churn_among(wanted.hosts.iter().map(|known| &known.host));
            churn
                .refuse()
                .map_err(|churn| Error::Conflict(churn.to_string()))
        };
        let reach = async {
            let environment = self
                .store()
                .environment_by_id(&system_scope(), plan.environment)
                .await?;
            self.reach(permit, &environment).await
        };
        let hosts = wanted.hosts.iter().map(|known| &known.host);
        let given = self.given(permit, plan, hosts);
        let ((), (), reach, mut given) = tokio::try_join!(settled, approved, reach, given)?;
        let settings = self.settings().clone();
        spawn_blocking(move || {
            let Wanted {
                attempt,
                rollout,
                batch,
                kind,
                plan,
                mut hosts,
            } = wanted;
            let mut targets = Vec::new();
            for known in &mut hosts {
                let of_host = given.remove(&known.host.id).unwrap_or_default();
                for (name, value) in of_host.variables {
                    // What the inventory says of the host itself wins.
                    known.host.variables.entry(name).or_insert(value);
                }
                targets.push(of_host.secrets);
            }
            let unavailable = |error: &dyn std::fmt::Display| Error::Unavailable(error.to_string());
            let Pinned {
                project, _reading, ..
            } = pinned;
            let project = match plan.playbooks {
                PlannedPlaybooks::Project(_) => {
                    let copied = project.copied(&folder.join(command::PROJECT));
                    copied.map_err(|error| unavailable(&format!("The project's files cannot be copied for the job: {error}. See that the disk has free space.")))?
                }
                PlannedPlaybooks::Release | PlannedPlaybooks::DatadogAgent => project,
            };
            let (tags, skip_tags) = plan.selection.tags_of(kind);
            let run = Run {
                attempt,
                rollout,
                batch,
                kind,
                project: &project,
                tags,
                skip_tags,
                reach: &reach,
                service: &plan.service_slug,
                installation: &plan.installation,
                release: &plan.release,
                artifacts_dir: &settings.artifacts_dir,
                hosts: hosts
                    .iter()
                    .zip(targets)
                    .map(|(known, secrets)| Target {
                        name: &known.host.name,
                        groups: &known.host.groups,
                        variables: &known.host.variables,
                        secrets,
                        before: known.before.as_ref(),
                    })
                    .collect(),
                deadline: deadline(kind, hosts.len()),
            };
            let mut spec: Spec = command::write(&settings.ansible, &folder, &run)
                .map_err(|error| unavailable(&error))?;
            spec.output = settings.outputs.rules.clone();
            supervisor::prepare(&folder, &spec).map_err(|error| unavailable(&error))
        })
        .await
        .map_err(|error| Error::Internal(error.to_string()))?
    }
}
