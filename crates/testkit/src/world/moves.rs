//! Rollouts that move through the store.

use domain::{
    attempt::AttemptState,
    audit::Actor,
    change_request::{ChangeRequest, ChangeRequestEvent},
    host::{HostOutcome, HostReport},
    id::{AttemptId, JobId, RolloutId},
    job::{JobEnd, JobReport},
    rollout::{Change, Event, Moment, Rollout},
};
use policy::{Action, Kind, Permit, Resource, Subject, SystemAction};
use store::{Claim, Claimed, Commit, Ended, Loaded, NewRollout, Room, StoreError};

use super::World;
use crate::{build, mint, permit, system};

impl World {
    /// A submitted rollout of this version to every host, with its change request; not written yet.
    pub fn submitted(&self, version: &str) -> (Change, ChangeRequest) {
        let plan = build::plan(&self.service, &self.environment, &self.hosts, version);
        let rollout = build::rollout(plan, self.omar.user);
        let change_request = build::change_request(&rollout, &self.omar.name, self.clock.now());
        (
            self.applied(rollout, Event::Submit, &self.omar),
            change_request,
        )
    }

    /// As `submitted`, written by Omar.
    pub async fn request(&self, version: &str) -> RolloutId {
        self.request_once(version, None)
            .await
            .expect("the rollout is made")
    }

    /// As `request`, under an idempotency key.
    pub async fn request_once(
        &self,
        version: &str,
        idempotency_key: Option<&str>,
    ) -> Result<RolloutId, StoreError> {
        let (change, change_request) = self.submitted(version);
        let resource =
            Resource::new(Kind::Service, self.service.id, &self.service.slug).of_team(self.team.id);
        let new = NewRollout {
            change: &change,
            change_request: Some(&change_request),
            requested_by_name: &self.omar.name,
            team: self.team.id,
            created_at: self.clock.now(),
            idempotency_key,
        };
        self.store()
            .rollout_insert(&permit(&self.omar, Action::RequestRollout, resource), new)
            .await
    }

    /// As `request`, approved by Ada and released by Omar: the first deploy is queued.
    pub async fn released(&self, version: &str) -> RolloutId {
        let id = self.request(version).await;
        self.act(&self.ada, Action::Approve, id, Event::Approve)
            .await
            .expect("approved");
        self.act(&self.omar, Action::Release, id, Event::Release)
            .await
            .expect("released");
        id
    }

    pub async fn load(&self, id: RolloutId) -> Loaded {
        self.store()
            .rollout(&self.everything(), id)
            .await
            .expect("the rollout is there")
    }

    /// The rollout after an event that fits its state.
    pub fn applied(&self, rollout: Rollout, event: Event, subject: &Subject) -> Change {
        let actor = Actor::Person {
            id: subject.user,
            name: subject.name.clone(),
        };
        self.applied_by(rollout, event, &actor)
    }

    fn applied_by(&self, rollout: Rollout, event: Event, actor: &Actor) -> Change {
        rollout
            .apply(
                event,
                actor,
                &mut Moment {
                    now: self.clock.now(),
                    mint: &mut mint,
                    time_scale: 1,
                },
            )
            .expect("the event fits")
    }

    /// What a person's action on a rollout is about.
    pub fn resource(&self, loaded: &Loaded) -> Resource {
        Resource::new(Kind::Rollout, loaded.rollout.id, "the rollout")
            .of_team(loaded.team)
            .requested_by(loaded.rollout.requested_by)
    }

    /// A person does something to a rollout: load, permit, apply, commit.
    pub async fn act(
        &self,
        subject: &Subject,
        action: Action,
        id: RolloutId,
        event: Event,
    ) -> Result<(), StoreError> {
        let loaded = self.load(id).await;
        let permit = permit(
            subject,
            action,
            self.resource(&loaded)
                .at_version(loaded.rollout.decision_version),
        );
        let about = match &event {
            Event::Approve => Some(ChangeRequestEvent::Approve {
                digest: loaded.rollout.digest.clone(),
            }),
            Event::Release => Some(ChangeRequestEvent::Implement),
            _ => None,
        };
        let change_request = loaded.change_request.zip(about).map(|(request, event)| {
            request
                .apply(event, permit.actor(), self.clock.now())
                .expect("the event fits")
        });
        let change = self.applied(loaded.rollout, event, subject);
        self.commit(
            &permit,
            loaded.revision,
            &change,
            change_request.as_ref(),
            &[],
        )
        .await
    }

    /// Slipway itself moves a rollout.
    pub async fn observe(&self, id: RolloutId, event: Event) -> Result<(), StoreError> {
        let loaded = self.load(id).await;
        let permit = system(SystemAction::OBSERVE, self.resource(&loaded));
        let observed = match &event {
            Event::JobFinished { job, .. } => vec![*job],
            _ => Vec::new(),
        };
        let change = self.applied_by(loaded.rollout, event, permit.actor());
        self.commit(&permit, loaded.revision, &change, None, &observed)
            .await
    }

    pub async fn commit(
        &self,
        permit: &Permit,
        revision: i64,
        change: &Change,
        change_request: Option<&ChangeRequest>,
        observed: &[JobId],
    ) -> Result<(), StoreError> {
        self.store()
            .commit(
                permit,
                Commit {
                    revision,
                    change,
                    change_request,
                    observed,
                    at: self.clock.now(),
                },
            )
            .await
    }

    /// Gives this worker one job.
    pub async fn claim(&self, worker: &str, room: Room) -> Option<Claimed> {
        let (now, permit) = (self.clock.now(), self.worker_permit());
        let claim = Claim {
            permit: &permit,
            worker,
            now,
            lease_until: now,
        };
        let room = Room { jobs: 1, ..room };
        let claimed = self.store().claim(claim, room, || AttemptId(mint()));
        claimed.await.expect("a claim").pop()
    }

    /// Ends an attempt, or is refused.
    pub async fn finish(
        &self,
        attempt: AttemptId,
        fencing: i64,
        state: AttemptState,
        report: &JobReport,
    ) -> Result<(), StoreError> {
        let ended = Ended {
            attempt,
            fencing,
            state,
            message: String::new(),
            report: report.clone(),
        };
        let (permit, now) = (self.worker_permit(), self.clock.now());
        let refused = self.store().attempts_finish(&permit, &[ended], now).await?;
        match refused.is_empty() {
            true => Ok(()),
            false => Err(StoreError::Conflict {
                what: format!("The attempt {attempt}"),
            }),
        }
    }

    /// Claims the oldest job, lets it bring every host it took to `version` (`before` it ran 1.0.0), and has the rollout
    /// take that into account. Gives the job.
    pub async fn work_off(&self, version: &str) -> JobId {
        let (claimed, report) = self.work(version).await;
        let job = claimed.job;
        let finished = Event::JobFinished { job, report };
        let observed = self.observe(claimed.rollout, finished).await;
        observed.expect("observed");
        job
    }

    /// As `work_off`, but for the rollout, which has not heard of it.
    pub async fn work(&self, version: &str) -> (Claimed, JobReport) {
        let (now, permit) = (self.clock.now(), self.worker_permit());
        let claimed = self.claim("w1", Room::ONE).await;
        let claimed = claimed.expect("a queued job");
        let attempt = &claimed.attempt;
        self.store()
            .attempt_state(
                &permit,
                attempt.id,
                attempt.fencing,
                AttemptState::Running,
                now,
            )
            .await
            .expect("running");
        let hosts = self
            .store()
            .job_hosts(&self.everything(), claimed.job)
            .await
            .expect("hosts");
        let parse = |text: &str| text.parse().expect("a version");
        let report = JobReport {
            end: JobEnd::Completed,
            hosts: hosts
                .into_iter()
                .map(|job_host| {
                    (
                        job_host.host.id,
                        HostReport {
                            before: job_host.before.or_else(|| Some(parse("1.0.0"))),
                            observed: None,
                            outcome: HostOutcome::Observed {
                                version: parse(version),
                            },
                        },
                    )
                })
                .collect(),
        };
        self.finish(
            attempt.id,
            attempt.fencing,
            AttemptState::Succeeded,
            &report,
        )
        .await
        .expect("finished");
        (claimed, report)
    }
}
