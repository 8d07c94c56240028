//! The table of roles and actions.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What somebody is trusted with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads everything, changes nothing.
    Viewer,
    /// Brings the team's services in and requests their rollouts.
    Member,
    /// Keeps the inventory, requests, releases and steers rollouts.
    Operator,
    /// Approves what others requested.
    Approver,
}

impl Role {
    pub const ALL: &[Self] = &[Self::Viewer, Self::Member, Self::Operator, Self::Approver];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Member => "member",
            Self::Operator => "operator",
            Self::Approver => "approver",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    OnboardService,
    ConfigureService,
    ManageInventory,
    ManageProjects,
    RequestRollout,
    WithdrawRollout,
    DryRun,
    Approve,
    Reject,
    Release,
    Decide,
    Pause,
    Resume,
    Abort,
    RollBack,
    Retry,
    Ask,
    Exclude,
    ExtendBake,
    Recover,
    CancelJob,
    Observe,
    RunJob,
    Deliver,
    SignIn,
}

use Role::{Approver, Member, Operator};

impl Action {
    pub const ALL: &[Self] = &[
        Self::OnboardService,
        Self::ConfigureService,
        Self::ManageInventory,
        Self::ManageProjects,
        Self::RequestRollout,
        Self::WithdrawRollout,
        Self::DryRun,
        Self::Approve,
        Self::Reject,
        Self::Release,
        Self::Decide,
        Self::Pause,
        Self::Resume,
        Self::Abort,
        Self::RollBack,
        Self::Retry,
        Self::Ask,
        Self::Exclude,
        Self::ExtendBake,
        Self::Recover,
        Self::CancelJob,
        Self::Observe,
        Self::RunJob,
        Self::Deliver,
        Self::SignIn,
    ];

    /// Roles that may; empty for what only Slipway itself does.
    pub const fn roles(self) -> &'static [Role] {
        match self {
            Self::OnboardService
            | Self::ConfigureService
            | Self::RequestRollout
            | Self::WithdrawRollout => &[Member, Operator],
            Self::ManageInventory
            | Self::ManageProjects
            // It runs playbooks on hosts before anybody approved them, if only to ask.
            | Self::DryRun
            | Self::Release
            | Self::Decide
            | Self::Resume
            | Self::Retry
            | Self::Exclude
            | Self::ExtendBake
            | Self::Recover
            | Self::CancelJob => &[Operator],
            Self::Approve | Self::Reject => &[Approver],
            // Making a rollout safe is never kept from the people whose service it is.
            Self::Pause | Self::Abort | Self::RollBack => &[Member, Operator],
            // It only reads.
            Self::Ask => &[Member, Operator],
            Self::Observe | Self::RunJob | Self::Deliver | Self::SignIn => &[],
        }
    }

    /// The person who asked may not do this.
    pub const fn separates_duties(self) -> bool {
        matches!(self, Self::Approve | Self::Reject)
    }

    /// How a refusal names it, at the start of a sentence.
    pub const fn verb(self) -> &'static str {
        match self {
            Self::OnboardService => "Bringing a service in",
            Self::ConfigureService => "Changing a service",
            Self::ManageInventory => "Changing environments and hosts",
            Self::ManageProjects => "Changing projects",
            Self::RequestRollout => "Requesting a rollout",
            Self::WithdrawRollout => "Withdrawing a rollout",
            Self::DryRun => "Running dry",
            Self::Approve => "Approving",
            Self::Reject => "Rejecting",
            Self::Release => "Releasing",
            Self::Decide => "Deciding at a gate",
            Self::Pause => "Pausing",
            Self::Resume => "Resuming",
            Self::Abort => "Aborting",
            Self::RollBack => "Rolling back",
            Self::Retry => "Retrying hosts",
            Self::Ask => "Asking hosts what they run",
            Self::Exclude => "Excluding hosts",
            Self::ExtendBake => "Watching a batch longer",
            Self::Recover => "Recording a recovery",
            Self::CancelJob => "Cancelling a job",
            Self::Observe | Self::RunJob | Self::Deliver | Self::SignIn => "This",
        }
    }
}
