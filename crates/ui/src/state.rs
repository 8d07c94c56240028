//! How every state word of the domain looks: one table, so that a word looks the same on every page.

mod table;

use domain::{
    attempt::AttemptState, batch::BatchState, delivery::DeploymentOutcome, host::HostPhase,
    verdict::Outcome,
};
use view::rollout::BatchDot;

use self::table::look;
use crate::{icon::Icon, tone::Tone};

/// What a state word is said of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Noun {
    Rollout,
    Batch,
    ChangeRequest,
    Host,
    Verdict,
    Deployment,
    Attempt,
}

/// How a state is shown: a label, a tone and an icon, and what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    pub word: &'static str,
    pub label: &'static str,
    pub tone: Tone,
    pub icon: Icon,
    /// One sentence that explains the state.
    pub hint: &'static str,
}

impl Noun {
    /// Every noun that has states.
    pub const ALL: &[Self] = &[
        Self::Rollout,
        Self::Batch,
        Self::ChangeRequest,
        Self::Host,
        Self::Verdict,
        Self::Deployment,
        Self::Attempt,
    ];

    /// What the noun is called.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Rollout => "Rollout",
            Self::Batch => "Batch",
            Self::ChangeRequest => "Change request",
            Self::Host => "Host",
            Self::Verdict => "Verdict",
            Self::Deployment => "Deployment",
            Self::Attempt => "Attempt",
        }
    }

    /// The looks of its states, in the order of their life.
    pub const fn looks(self) -> &'static [Look] {
        match self {
            Self::Rollout => table::ROLLOUT,
            Self::Batch => table::BATCH,
            Self::ChangeRequest => table::CHANGE_REQUEST,
            Self::Host => table::HOST,
            Self::Verdict => table::VERDICT,
            Self::Deployment => table::DEPLOYMENT,
            Self::Attempt => table::ATTEMPT,
        }
    }
}

impl Look {
    /// The look of a word; a word from a newer server is shown as such instead of being guessed.
    pub fn of(noun: Noun, word: &str) -> Self {
        let newer = look(
            "",
            "Unrecognised",
            Tone::Warn,
            Icon::Question,
            "This page is older than the server. Load it again.",
        );
        noun.looks()
            .iter()
            .copied()
            .find(|look| look.word == word)
            .unwrap_or(newer)
    }

    /// Word of `domain::rollout::RolloutState`.
    pub fn rollout(word: &str) -> Self {
        Self::of(Noun::Rollout, word)
    }

    /// Word of `domain::batch::BatchState`.
    pub fn batch(word: &str) -> Self {
        Self::of(Noun::Batch, word)
    }

    /// A rollout with its batches: one that runs but waits for a person at a batch looks like that batch.
    pub fn standing(word: &str, batches: &[BatchDot]) -> Self {
        let mut states = batches.iter().map(|batch| batch.state.as_str());
        match states.find(|state| BatchState::WAITING.contains(state)) {
            Some(state) if word == "running" => Self::batch(state),
            _ => Self::rollout(word),
        }
    }

    /// Word of `domain::change_request::ChangeRequestState`.
    pub fn change_request(word: &str) -> Self {
        Self::of(Noun::ChangeRequest, word)
    }

    pub fn host(phase: HostPhase) -> Self {
        Self::of(Noun::Host, phase.word())
    }

    pub fn verdict(outcome: Outcome) -> Self {
        Self::of(Noun::Verdict, outcome.word())
    }

    pub fn deployment(outcome: DeploymentOutcome) -> Self {
        Self::of(Noun::Deployment, outcome.word())
    }

    pub fn attempt(state: AttemptState) -> Self {
        Self::of(Noun::Attempt, state.word())
    }
}

#[cfg(test)]
mod tests {
    use domain::{
        Timestamp,
        batch::{BakeClock, BatchState, HeldAt},
        change_request::ChangeRequestState,
        id::JobId,
        rollout::RolloutState,
    };

    use super::*;

    fn covers(noun: Noun, words: &[&str]) {
        let known: Vec<&str> = noun.looks().iter().map(|look| look.word).collect();
        assert_eq!(known, words, "{}", noun.label());
    }

    fn words<T: Copy>(all: &[T], word: fn(T) -> &'static str) -> Vec<&'static str> {
        all.iter().map(|value| word(*value)).collect()
    }

    #[test]
    fn every_word_has_a_look_and_no_look_is_left_over() {
        let (job, at, none) = (
            JobId(Default::default()),
            Timestamp::UNIX_EPOCH,
            String::new,
        );
        let batches = [
            BatchState::Pending,
            BatchState::Deploying { job, round: 1 },
            BatchState::Validating { job, round: 1 },
            BatchState::Baking {
                since: at,
                clock: BakeClock::Stopped { left_ms: 0 },
            },
            BatchState::BackingOff {
                until: at,
                round: 1,
                message: none(),
            },
            BatchState::Gate {
                since: at,
                expires: at,
            },
            BatchState::Promoted { at, by: none() },
            BatchState::Held {
                at: HeldAt::Gate,
                message: none(),
            },
            BatchState::Probing {
                job,
                round: 1,
                failed: 0,
                cause: none(),
            },
            BatchState::RollingBack { job, since: at },
            BatchState::RolledBack { at },
            BatchState::RollbackFailed { message: none() },
        ];
        let requests = [
            ChangeRequestState::Submitted { at },
            ChangeRequestState::Approved { by: none(), at },
            ChangeRequestState::Rejected {
                by: none(),
                at,
                reason: none(),
            },
            ChangeRequestState::Withdrawn {
                by: none(),
                at,
                reason: none(),
            },
            ChangeRequestState::Implementing {
                by: none(),
                approved_at: at,
                since: at,
            },
            ChangeRequestState::Closed {
                by: none(),
                approved_at: at,
                at,
                outcome: none(),
            },
        ];
        covers(Noun::Rollout, RolloutState::WORDS);
        covers(
            Noun::Batch,
            &batches.iter().map(BatchState::word).collect::<Vec<_>>(),
        );
        covers(
            Noun::ChangeRequest,
            &requests
                .iter()
                .map(ChangeRequestState::word)
                .collect::<Vec<_>>(),
        );
        covers(Noun::Host, &words(HostPhase::ALL, HostPhase::word));
        covers(Noun::Verdict, &words(Outcome::ALL, Outcome::word));
        covers(
            Noun::Deployment,
            &words(DeploymentOutcome::ALL, DeploymentOutcome::word),
        );
        covers(Noun::Attempt, &words(AttemptState::ALL, AttemptState::word));
    }

    #[test]
    fn a_word_of_a_newer_server_is_not_guessed() {
        assert_eq!(Look::rollout("superseded").label, "Unrecognised");
    }

    #[test]
    fn states_of_one_noun_can_be_told_apart_without_colour() {
        for noun in Noun::ALL {
            let labels: std::collections::BTreeSet<_> =
                noun.looks().iter().map(|look| look.label).collect();
            assert_eq!(labels.len(), noun.looks().len(), "{}", noun.label());
        }
    }
}
