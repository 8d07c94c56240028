//! What a person may press: the state offers it, and policy allows it.

use domain::{
    batch::{Batch, BatchState, HeldAt},
    host::HostPhase,
    rollout::RolloutState as S,
};
use policy::{Action, Resource};
use store::Loaded;
use view::{
    access::Allowance,
    rollout::{BatchActions, RolloutActions},
};

use crate::{Ctx, Error, rollout::resource};

impl Ctx {
    /// Whether policy allows an action.
    pub(crate) fn allowance(&self, action: Action, resource: Resource) -> Allowance {
        match policy::permit(&self.subject, action, resource) {
            Ok(_) => Allowance::Allowed,
            Err(denied) => Allowance::Refused {
                why: denied.beside(),
            },
        }
    }

    fn offered(&self, offered: bool, action: Action, loaded: &Loaded) -> Allowance {
        if offered {
            self.allowance(action, resource(loaded))
        } else {
            Allowance::NotOffered
        }
    }

    /// What may be pressed on a rollout.
    pub(super) async fn rollout_actions(&self, loaded: &Loaded) -> Result<RolloutActions, Error> {
        let superseded = if loaded.rollout.state.ended() {
            let scope = self.scope()?;
            self.store().superseded(&scope, &loaded.rollout).await?
        } else {
            None
        };
        let state = &loaded.rollout.state;
        let live = matches!(state, S::Running | S::Paused { .. });
        let awaiting = matches!(state, S::AwaitingApproval);
        let reversible = live
            || matches!(state, S::Succeeded { .. } | S::RollbackFailed { .. })
            || (matches!(state, S::Aborted { .. }) && loaded.rollout.touched_hosts());
        Ok(RolloutActions {
            approve: self.offered(awaiting, Action::Approve, loaded),
            reject: self.offered(awaiting, Action::Reject, loaded),
            dry_run: self.offered(
                (live || awaiting || matches!(state, S::Scheduled))
                    && (loaded.rollout.batches.iter()).any(|batch| batch.state.excludes()),
                Action::DryRun,
                loaded,
            ),
            withdraw: self.offered(
                matches!(state, S::Draft | S::AwaitingApproval | S::Scheduled),
                Action::WithdrawRollout,
                loaded,
            ),
            release: self.offered(matches!(state, S::Scheduled), Action::Release, loaded),
            pause: self.offered(matches!(state, S::Running), Action::Pause, loaded),
            resume: self.offered(matches!(state, S::Paused { .. }), Action::Resume, loaded),
            exclude: self.offered(
                live && (loaded.rollout.batches.iter()).any(|batch| batch.state.excludes()),
                Action::Exclude,
                loaded,
            ),
            abort: self.offered(live, Action::Abort, loaded),
            roll_back: match (
                self.offered(reversible, Action::RollBack, loaded),
                superseded,
            ) {
                (Allowance::Allowed, Some(why)) => Allowance::Refused {
                    why: why.to_string(),
                },
                (allowance, _) => allowance,
            },
            recover: self.offered(
                matches!(state, S::RollbackFailed { .. }),
                Action::Recover,
                loaded,
            ),
        })
    }

    /// What may be decided on one batch, whose hosts stand so.
    pub(super) fn batch_actions(
        &self,
        loaded: &Loaded,
        batch: &Batch,
        counts: &[(HostPhase, u32)],
    ) -> BatchActions {
        let live = matches!(loaded.rollout.state, S::Running | S::Paused { .. });
        let gate = matches!(batch.state, BatchState::Gate { .. });
        let backing_off = matches!(batch.state, BatchState::BackingOff { .. });
        let held =
            |wanted: HeldAt| matches!(batch.state, BatchState::Held { at, .. } if at == wanted);
        let has = |phase| counts.iter().any(|(of, count)| *of == phase && *count > 0);
        BatchActions {
            decide: self.offered(live && gate, Action::Decide, loaded),
            retry: self.offered(
                matches!(loaded.rollout.state, S::Running) && (backing_off || held(HeldAt::Hosts)),
                Action::Retry,
                loaded,
            ),
            ask: self.offered(
                live && held(HeldAt::Hosts) && has(HostPhase::Unknown),
                Action::Ask,
                loaded,
            ),
            extend: self.offered(
                live && (gate || held(HeldAt::Gate)),
                Action::ExtendBake,
                loaded,
            ),
        }
    }
}
