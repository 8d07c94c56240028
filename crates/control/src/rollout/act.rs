//! Decisions of people on a rollout.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    change_request::{ChangeRequest, ChangeRequestEvent, ChangeRequestState},
    host::HostPhase,
    id::RolloutId,
    job::JobKind,
    rollout::{BakeWhilePaused, Decision, Event, Exclusion, Moment, RolloutState},
    strategy::parse_seconds,
    text::{FieldError, HostName, Reason, listed},
};
use policy::Action;
use store::{Commit, Loaded, StoreError};
use uuid::Uuid;
use view::{error::ApiError, input::ActInput, job::JobRow};

use crate::{Console, Ctx, Error, Signal, rollout};

impl Console {
    /// The moment an event happens at.
    pub(crate) fn moment<'a>(&self, mint: &'a mut dyn FnMut() -> Uuid) -> Moment<'a> {
        Moment {
            now: self.now(),
            mint,
            time_scale: self.settings().time_scale,
        }
    }
}

/// How often a decision is tried again when a machine moved the rollout between reading and writing.
const TRIES: u32 = 5;

impl Ctx {
    pub async fn approve(&self, input: ActInput) -> Result<(), ApiError> {
        self.act(Action::Approve, &input, Event::Approve).await
    }

    pub async fn reject(&self, input: ActInput) -> Result<(), ApiError> {
        self.reasoned(Action::Reject, &input, |reason| Event::Reject { reason })
            .await
    }

    pub async fn withdraw(&self, input: ActInput) -> Result<(), ApiError> {
        self.reasoned(Action::WithdrawRollout, &input, |reason| Event::Withdraw {
            reason,
        })
        .await
    }

    pub async fn release_rollout(&self, input: ActInput) -> Result<(), ApiError> {
        self.act(Action::Release, &input, Event::Release).await
    }

    pub async fn decide(&self, input: ActInput) -> Result<(), ApiError> {
        let decision = match input.decision.as_str() {
            "go" => Decision::Go,
            "no_go" => Decision::NoGo,
            _ => {
                return Err(ApiError::Invalid {
                    field: "decision".to_owned(),
                    message: "Decide “go” or “no-go”.".to_owned(),
                });
            }
        };
        let batch = input.batch;
        self.reasoned(Action::Decide, &input, |reason| Event::Decide {
            batch,
            decision,
            reason,
        })
        .await
    }

    pub async fn retry(&self, input: ActInput) -> Result<(), ApiError> {
        self.act(Action::Retry, &input, Event::Retry { batch: input.batch })
            .await
    }

    /// Asks what the rollout would change; refused while an earlier answer is under way.
    pub async fn dry_run(&self, input: ActInput) -> Result<(), ApiError> {
        self.answer(async {
            let (id, scope) = (rollout_id(&input)?, self.scope()?);
            let jobs = self.store().jobs(&scope, id).await?;
            let under_way = |job: &JobRow| job.kind == JobKind::DryRun && !job.state.ended();
            if jobs.iter().any(under_way) {
                return Err(Error::Conflict(
                    "A dry run is under way. Wait for it, or cancel its job.".to_owned(),
                ));
            }
            Ok(())
        })
        .await?;
        self.act(Action::DryRun, &input, Event::DryRun).await
    }

    /// Asks the hosts of a held batch again. Which of them failed is read first, as for an exclusion.
    pub async fn ask(&self, input: ActInput) -> Result<(), ApiError> {
        let batch = input.batch;
        let failed = self.answer(async {
            let counts = self
                .store()
                .host_counts(&self.scope()?, rollout_id(&input)?)
                .await?;
            let failed = |(of, phase, _): &&(u32, HostPhase, u32)| {
                *of == batch && matches!(phase, HostPhase::Failed | HostPhase::Unreachable)
            };
            Ok(counts.iter().filter(failed).map(|(.., count)| count).sum())
        });
        let failed = failed.await?;
        self.act(Action::Ask, &input, Event::Ask { batch, failed })
            .await
    }

    /// Takes hosts out of a rollout. How the others stand is read first: whoever changes it moves the decision version,
    /// and then nothing is done.
    pub async fn exclude(&self, input: ActInput) -> Result<(), ApiError> {
        let batches = self.answer(self.exclusions(&input)).await?;
        self.reasoned(Action::Exclude, &input, |reason| Event::Exclude {
            batches,
            reason,
        })
        .await
    }

    async fn exclusions(&self, input: &ActInput) -> Result<Vec<Exclusion>, Error> {
        let refuse = |message: String| Error::from(FieldError::new("hosts", message));
        let id = rollout_id(input)?;
        let names = input
            .hosts
            .split([' ', ',', '\n', '\r', '\t'])
            .filter(|name| !name.is_empty())
            .map(|name| {
                name.parse::<HostName>()
                    .map_err(|error| refuse(error.message))
            })
            .collect::<Result<BTreeSet<_>, _>>()?;
        if names.is_empty() {
            return Err(refuse("Name the hosts to exclude.".to_owned()));
        }
        let scope = self.scope()?;
        let found = self.store().hosts_named(&scope, id, &names).await?;
        if found.is_empty() {
            // Tells a rollout without such hosts from one that is not there for this person.
            self.store().rollout_state(&scope, id).await?;
        }
        let unknown = names
            .iter()
            .filter(|name| found.iter().all(|(_, known, ..)| known != *name));
        let unknown = listed(unknown, 5);
        if !unknown.is_empty() {
            return Err(refuse(format!(
                "This rollout has no host of that name: {unknown}."
            )));
        }
        let mut batches: BTreeMap<u32, Exclusion> = BTreeMap::new();
        for (host, name, batch, phase) in found {
            if phase.current() {
                return Err(refuse(format!(
                    "{name} took the change; only hosts that did not can be excluded. Roll back to take it from all of them."
                )));
            }
            if !JobKind::Deploy.takes(phase) {
                let word = phase.word();
                return Err(refuse(format!(
                    "{name} is {word} already; nothing more happens on it."
                )));
            }
            let exclusion = batches.entry(batch).or_insert_with(|| Exclusion {
                batch,
                hosts: Vec::new(),
                current: 0,
                unfinished: 0,
            });
            exclusion.hosts.push((host, name));
        }
        for (batch, phase, count) in self.store().host_counts(&scope, id).await? {
            match batches.get_mut(&batch) {
                Some(exclusion) if phase.current() => exclusion.current += count,
                Some(exclusion) if JobKind::Deploy.takes(phase) => exclusion.unfinished += count,
                _ => {}
            }
        }
        let mut batches: Vec<Exclusion> = batches.into_values().collect();
        for exclusion in &mut batches {
            let going = u32::try_from(exclusion.hosts.len()).unwrap_or(u32::MAX);
            exclusion.unfinished = exclusion.unfinished.saturating_sub(going);
        }
        Ok(batches)
    }

    pub async fn extend(&self, input: ActInput) -> Result<(), ApiError> {
        let seconds = parse_seconds("extend", &input.extend)
            .map_err(|error| self.console.api(error.into()))?;
        let batch = input.batch;
        self.reasoned(Action::ExtendBake, &input, |reason| Event::ExtendBake {
            batch,
            seconds,
            reason,
        })
        .await
    }

    pub async fn pause(&self, input: ActInput) -> Result<(), ApiError> {
        let bake = if input.bake == "runs" {
            BakeWhilePaused::Runs
        } else {
            BakeWhilePaused::Stops
        };
        self.reasoned(Action::Pause, &input, |reason| Event::Pause {
            reason,
            bake,
        })
        .await
    }

    pub async fn resume(&self, input: ActInput) -> Result<(), ApiError> {
        self.act(Action::Resume, &input, Event::Resume).await
    }

    pub async fn abort(&self, input: ActInput) -> Result<(), ApiError> {
        self.reasoned(Action::Abort, &input, |reason| Event::Abort { reason })
            .await
    }

    pub async fn roll_back(&self, input: ActInput) -> Result<(), ApiError> {
        self.reasoned(Action::RollBack, &input, |reason| Event::RollBack {
            reason,
        })
        .await
    }

    pub async fn recover(&self, input: ActInput) -> Result<(), ApiError> {
        self.reasoned(Action::Recover, &input, |evidence| Event::Recover {
            evidence,
        })
        .await
    }

    async fn reasoned(
        &self,
        action: Action,
        input: &ActInput,
        event: impl FnOnce(Reason) -> Event,
    ) -> Result<(), ApiError> {
        let reason: Reason = input
            .reason
            .parse()
            .map_err(|error: FieldError| self.console.api(error.into()))?;
        self.act(action, input, event(reason)).await
    }

    async fn act(&self, action: Action, input: &ActInput, event: Event) -> Result<(), ApiError> {
        self.answer(async {
            let id = rollout_id(input)?;
            for _ in 1..TRIES {
                match self.act_once(action, id, input, event.clone()).await {
                    Err(Error::Store(StoreError::Conflict { .. })) => {}
                    done => return done,
                }
            }
            self.act_once(action, id, input, event).await
        })
        .await
    }

    async fn act_once(
        &self,
        action: Action,
        id: RolloutId,
        input: &ActInput,
        event: Event,
    ) -> Result<(), Error> {
        let loaded = self.store().rollout(&self.scope()?, id).await?;
        let seen = input.decision_version;
        if !event.makes_safe() && seen != loaded.rollout.decision_version {
            return Err(Error::Conflict("The rollout moved on since this page was loaded, so nothing was done. Look at where it stands now and decide again.".to_owned()));
        }
        let resource = rollout::resource(&loaded).at_version(loaded.rollout.decision_version);
        let permit = self.permit(action, resource)?;
        if action == Action::Release {
            self.hosts_unchanged(&loaded).await?;
        }
        let Loaded {
            rollout,
            change_request,
            revision,
            ..
        } = loaded;
        let change = rollout.apply(
            event.clone(),
            permit.actor(),
            &mut self.console.moment(&mut || self.console.mint()),
        )?;
        let now = self.console.now();
        let change_request = match (change_request, event) {
            (Some(request), Event::Approve) => Some(request.apply(
                ChangeRequestEvent::Approve {
                    digest: input.digest.parse()?,
                },
                permit.actor(),
                now,
            )?),
            (Some(request), Event::Reject { reason }) => {
                Some(request.apply(ChangeRequestEvent::Reject { reason }, permit.actor(), now)?)
            }
            (Some(request), Event::Withdraw { reason }) => {
                Some(request.apply(ChangeRequestEvent::Withdraw { reason }, permit.actor(), now)?)
            }
            (Some(request), Event::Release) => {
                Some(request.apply(ChangeRequestEvent::Implement, permit.actor(), now)?)
            }
            (Some(request), _) => close_ended(request, &change.rollout.state, permit.actor(), now)?,
            (None, _) => None,
        };
        let commit = Commit {
            revision,
            change: &change,
            change_request: change_request.as_ref(),
            observed: &[],
            at: now,
        };
        self.store().commit(&permit, commit).await?;
        self.console.signal(Signal::Rollout(id));
        self.console.wake_for(&change);
        Ok(())
    }

    /// Refuses to release a plan whose hosts are no longer those that were approved, or no longer as they were.
    async fn hosts_unchanged(&self, loaded: &Loaded) -> Result<(), Error> {
        let plan = &loaded.rollout.plan;
        let hosts = self
            .store()
            .hosts_in_group(
                &self.scope()?,
                plan.environment,
                plan.installation.host_group.as_str(),
            )
            .await?;
        plan.churn(&hosts)
            .refuse()
            .map_err(|churn| Error::Conflict(churn.to_string()))
    }
}

fn rollout_id(input: &ActInput) -> Result<RolloutId, Error> {
    let parsed = input.rollout.parse();
    parsed.map_err(|error: domain::id::IdError| Error::NotFound(error.to_string()))
}

/// A change request is closed with its rollout; `None` when there is nothing to change.
pub(crate) fn close_ended(
    request: ChangeRequest,
    state: &RolloutState,
    actor: &domain::audit::Actor,
    now: domain::Timestamp,
) -> Result<Option<ChangeRequest>, Error> {
    if state.ended() && matches!(request.state, ChangeRequestState::Implementing { .. }) {
        let outcome = state.word().to_owned();
        return Ok(Some(request.apply(
            ChangeRequestEvent::Close { outcome },
            actor,
            now,
        )?));
    }
    Ok(None)
}
