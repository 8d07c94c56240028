//! Decisions of people on a rollout.

use domain::{
    change_request::{ChangeRequest, ChangeRequestEvent, ChangeRequestState},
    id::RolloutId,
    rollout::{BakeWhilePaused, Decision, Event, Moment, RolloutState},
    strategy::parse_seconds,
    text::{FieldError, Reason},
};
use policy::Action;
use store::{Commit, Loaded, StoreError};
use uuid::Uuid;
use view::{error::ApiError, input::ActInput};

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
            let id: RolloutId = input
                .rollout
                .parse()
                .map_err(|error: domain::id::IdError| Error::NotFound(error.to_string()))?;
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
            observed: None,
            at: now,
        };
        self.store().commit(&permit, commit).await?;
        self.console.signal(Signal::Rollout(id));
        self.console.wake();
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
