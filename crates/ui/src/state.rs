//! How every state word of the domain looks: one table, so that a word looks the same on every page.

use domain::{
    attempt::AttemptState, batch::BatchState, delivery::DeploymentOutcome, host::HostPhase,
    verdict::Outcome,
};
use view::rollout::BatchDot;

use crate::{
    icon::Icon::{self, *},
    tone::Tone::{self, *},
};

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

const fn look(
    word: &'static str,
    label: &'static str,
    tone: Tone,
    icon: Icon,
    hint: &'static str,
) -> Look {
    Look {
        word,
        label,
        tone,
        icon,
        hint,
    }
}

const ROLLOUT: &[Look] = &[
    look(
        "draft",
        "Draft",
        Neutral,
        Pencil,
        "Not yet handed in for approval.",
    ),
    look(
        "awaiting_approval",
        "Awaiting approval",
        Waiting,
        Person,
        "An approver has to approve or reject the plan.",
    ),
    look(
        "scheduled",
        "Scheduled",
        Waiting,
        Clock,
        "May run; waits for an operator to release the first batch.",
    ),
    look(
        "running",
        "Running",
        Active,
        Turning,
        "Batches are going out.",
    ),
    look(
        "paused",
        "Paused",
        Warn,
        Pause,
        "A person paused it; nothing new starts.",
    ),
    look(
        "succeeded",
        "Succeeded",
        Good,
        Check,
        "Every batch runs the new version and was promoted.",
    ),
    look(
        "rolling_back",
        "Rolling back",
        Warn,
        Undo,
        "Hosts are being brought back to the version they ran before.",
    ),
    look(
        "rolled_back",
        "Rolled back",
        Warn,
        Undo,
        "Every host runs the version it ran before, and said so.",
    ),
    look(
        "rollback_failed",
        "Roll back failed",
        Bad,
        Octagon,
        "At least one host could not be brought back. A person has to act.",
    ),
    look(
        "recovered",
        "Recovered",
        Neutral,
        Lifebuoy,
        "A person brought the hosts right by other means and gave the evidence.",
    ),
    look(
        "aborting",
        "Aborting",
        Warn,
        Stop,
        "The job under way is being ended.",
    ),
    look(
        "aborted",
        "Aborted",
        Neutral,
        Stop,
        "A person stopped it; hosts stay as they are.",
    ),
    look("rejected", "Rejected", Bad, Cross, "An approver said no."),
    look(
        "withdrawn",
        "Withdrawn",
        Neutral,
        Minus,
        "The requester took it back.",
    ),
];

const BATCH: &[Look] = &[
    look(
        "pending",
        "Pending",
        Neutral,
        Ring,
        "Nothing has happened to its hosts yet.",
    ),
    look(
        "deploying",
        "Deploying",
        Active,
        Turning,
        "The new version is being brought to its hosts.",
    ),
    look(
        "validating",
        "Validating",
        Active,
        Turning,
        "Hosts are asked which version they run.",
    ),
    look(
        "baking",
        "Baking",
        Active,
        Hourglass,
        "The new version runs and is watched.",
    ),
    look(
        "backing_off",
        "Trying again",
        Warn,
        Hourglass,
        "Hosts could not be reached; they are tried again by themselves.",
    ),
    look(
        "gate",
        "At the gate",
        Waiting,
        Gate,
        "The bake is over; a person has to decide.",
    ),
    look(
        "promoted",
        "Promoted",
        Good,
        Check,
        "It went through its gate.",
    ),
    look(
        "held",
        "Held",
        Warn,
        Held,
        "It waits for a person outside its gate.",
    ),
    look(
        "probing",
        "Probing",
        Active,
        Question,
        "A job ended without an answer; hosts are asked what they run.",
    ),
    look(
        "rolling_back",
        "Rolling back",
        Warn,
        Undo,
        "Its hosts are being brought back.",
    ),
    look(
        "rolled_back",
        "Rolled back",
        Warn,
        Undo,
        "Its hosts run the version they ran before, and said so.",
    ),
    look(
        "rollback_failed",
        "Roll back failed",
        Bad,
        Octagon,
        "At least one host could not be brought back.",
    ),
];

const CHANGE_REQUEST: &[Look] = &[
    look(
        "submitted",
        "Submitted",
        Waiting,
        Person,
        "Waits for an approver.",
    ),
    look(
        "approved",
        "Approved",
        Good,
        Check,
        "Exactly this plan may be carried out.",
    ),
    look("rejected", "Rejected", Bad, Cross, "An approver said no."),
    look(
        "withdrawn",
        "Withdrawn",
        Neutral,
        Minus,
        "The requester took it back.",
    ),
    look(
        "implementing",
        "Implementing",
        Active,
        Turning,
        "What it approved is being carried out.",
    ),
    look(
        "closed",
        "Closed",
        Neutral,
        Lines,
        "What it approved is done.",
    ),
];

const HOST: &[Look] = &[
    look("pending", "Pending", Neutral, Ring, "Not touched yet."),
    look(
        "updating",
        "Updating",
        Active,
        Turning,
        "The new version is on its way.",
    ),
    look(
        "updated",
        "Updated",
        Good,
        Check,
        "Runs the new version and said so.",
    ),
    look(
        "already_current",
        "Already current",
        Good,
        Equal,
        "Ran the new version before the job came.",
    ),
    look(
        "failed",
        "Failed",
        Bad,
        Cross,
        "A task failed on it; it may be half-way.",
    ),
    look(
        "unreachable",
        "Unreachable",
        Bad,
        Unplugged,
        "Could not be reached; nothing was changed on it.",
    ),
    look(
        "rolling_back",
        "Rolling back",
        Warn,
        Turning,
        "Is being brought back to the version before.",
    ),
    look(
        "rolled_back",
        "Rolled back",
        Warn,
        Undo,
        "Runs the version it ran before, and said so.",
    ),
    look(
        "rollback_failed",
        "Roll back failed",
        Bad,
        Octagon,
        "Could not be brought back.",
    ),
    look(
        "gone",
        "Gone",
        Neutral,
        Slash,
        "No longer in the inventory.",
    ),
    look(
        "excluded",
        "Excluded",
        Neutral,
        Minus,
        "Was left out, for a reason given.",
    ),
    look(
        "unknown",
        "Unknown",
        Warn,
        Question,
        "Nobody can say what it runs until it is asked.",
    ),
];

const VERDICT: &[Look] = &[
    look(
        "pass",
        "Pass",
        Good,
        Check,
        "No worse than its baseline allows.",
    ),
    look(
        "marginal",
        "Marginal",
        Warn,
        Alert,
        "Worse than before, but not certainly beyond the limit. Does not pass.",
    ),
    look(
        "insufficient_samples",
        "Too few samples",
        Warn,
        Question,
        "Too little was measured to say. Does not pass.",
    ),
    look(
        "no_data",
        "No data",
        Warn,
        Slash,
        "Nothing was measured. Does not pass.",
    ),
    look(
        "provider_error",
        "Provider error",
        Warn,
        Unplugged,
        "The telemetry could not be read. Does not pass.",
    ),
    look(
        "fail",
        "Fail",
        Bad,
        Cross,
        "Worse than its baseline allows.",
    ),
];

const DEPLOYMENT: &[Look] = &[
    look(
        "succeeded",
        "Succeeded",
        Good,
        Check,
        "Every batch was promoted.",
    ),
    look(
        "rolled_back",
        "Rolled back",
        Warn,
        Undo,
        "A failed change; its hosts were brought back.",
    ),
    look(
        "rollback_failed",
        "Roll back failed",
        Bad,
        Octagon,
        "A failed change; not every host was brought back.",
    ),
    look(
        "aborted",
        "Aborted",
        Neutral,
        Stop,
        "A failed change; a person stopped it.",
    ),
];

const ATTEMPT: &[Look] = &[
    look("queued", "Queued", Neutral, Clock, "Waits for a worker."),
    look(
        "starting",
        "Starting",
        Active,
        Turning,
        "Its playbook is being started.",
    ),
    look(
        "running",
        "Running",
        Active,
        Turning,
        "Its playbook is at work.",
    ),
    look(
        "cancelling",
        "Cancelling",
        Warn,
        Stop,
        "Its playbook is being ended.",
    ),
    look(
        "succeeded",
        "Succeeded",
        Good,
        Check,
        "Its playbook ended well on every host.",
    ),
    look(
        "failed",
        "Failed",
        Bad,
        Cross,
        "Its playbook ended badly on at least one host.",
    ),
    look(
        "timed_out",
        "Timed out",
        Bad,
        Clock,
        "Its deadline ended it.",
    ),
    look(
        "cancelled",
        "Cancelled",
        Neutral,
        Stop,
        "A person ended it.",
    ),
    look(
        "unknown",
        "Unknown",
        Warn,
        Question,
        "It began and no exit was recorded; hosts have to be asked.",
    ),
    look(
        "resolved",
        "Resolved",
        Neutral,
        Lifebuoy,
        "It was unknown, and has been found out.",
    ),
];

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
            Self::Rollout => ROLLOUT,
            Self::Batch => BATCH,
            Self::ChangeRequest => CHANGE_REQUEST,
            Self::Host => HOST,
            Self::Verdict => VERDICT,
            Self::Deployment => DEPLOYMENT,
            Self::Attempt => ATTEMPT,
        }
    }
}

impl Look {
    /// The look of a word; a word from a newer server is shown as such instead of being guessed.
    pub fn of(noun: Noun, word: &str) -> Self {
        let newer = look(
            "",
            "Unrecognised",
            Warn,
            Question,
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
