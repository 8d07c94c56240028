//! What can be asked for, and of what.

/// What something is. The audit trail knows it by [`Kind::word`], the policies by an entity type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Team,
    Person,
    Service,
    Environment,
    Project,
    Rollout,
    Job,
    Token,
    Grant,
    Worker,
    Audit,
}

domain::words!(Kind "kind": Team = "team", Person = "person", Service = "service", Environment = "environment",
    Project = "project", Rollout = "rollout", Job = "job", Token = "token", Grant = "grant", Worker = "worker", Audit = "audit");

impl Kind {
    /// The entity type the policies speak of; `None` where nobody but Slipway does anything.
    pub(crate) const fn entity(self) -> Option<&'static str> {
        match self {
            Self::Team => Some("Team"),
            Self::Person => Some("Person"),
            Self::Service => Some("Service"),
            Self::Environment => Some("Environment"),
            Self::Project => Some("Project"),
            // What may be done to a job is a matter of its rollout.
            Self::Rollout | Self::Job => Some("Rollout"),
            Self::Token => Some("Token"),
            Self::Grant => Some("Grant"),
            Self::Worker | Self::Audit => None,
        }
    }
}

/// Something that changes the world or shows what few may see.
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
    ReadPeople,
    ManagePeople,
    ManageTokens,
    Grant,
    /// Only Slipway itself: moves a rollout on what was reported.
    Observe,
    /// Only Slipway itself: runs queued jobs.
    RunJob,
    /// Only Slipway itself: hands messages over.
    Deliver,
    /// Only Slipway itself: writes who signed in.
    SignIn,
    /// Only Slipway itself: writes what was refused to whom.
    Refuse,
    /// Only Slipway itself: writes what somebody took out of what they may read.
    Export,
}

domain::words!(Action "action": OnboardService = "onboard_service", ConfigureService = "configure_service",
    ManageInventory = "manage_inventory", ManageProjects = "manage_projects", RequestRollout = "request_rollout",
    WithdrawRollout = "withdraw_rollout", DryRun = "dry_run", Approve = "approve", Reject = "reject", Release = "release",
    Decide = "decide", Pause = "pause", Resume = "resume", Abort = "abort", RollBack = "roll_back", Retry = "retry",
    Ask = "ask", Exclude = "exclude", ExtendBake = "extend_bake", Recover = "recover", CancelJob = "cancel_job", ReadPeople = "read_people",
    ManagePeople = "manage_people", ManageTokens = "manage_tokens", Grant = "grant",
    Observe = "observe", RunJob = "run_job", Deliver = "deliver", SignIn = "sign_in", Refuse = "refuse", Export = "export");

impl Action {
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
            Self::ReadPeople => "Reading who may do what",
            Self::ManagePeople => "Letting people in and keeping them out",
            Self::ManageTokens => "Ending tokens",
            Self::Grant => "Giving and taking roles",
            Self::Observe
            | Self::RunJob
            | Self::Deliver
            | Self::SignIn
            | Self::Refuse
            | Self::Export => "This",
        }
    }
}
