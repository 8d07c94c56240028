//! Runs one program to its end, whatever becomes of the server.
//!
//! The server [`prepare`]s a folder and its [`Launcher`] hands it to a small process of its own, the supervisor, which starts
//! the program, stores what it prints, ends it on request or at the deadline, and leaves an exit record. The folder is all
//! the two share, so a server that starts again [`inspect`]s it and knows what happened:
//!
//! | file | written by | what |
//! |---|---|---|
//! | `spec.json` | server | what to run |
//! | `lock` | server | held from before the launch until the supervisor is gone |
//! | `begun` | supervisor | the child may have been started from here on |
//! | `output.log` | supervisor | what the child printed, redacted, whole lines |
//! | `events.jsonl` | supervisor | what the child wrote to `SLIPWAY_EVENT_FD`, redacted, whole lines |
//! | `cancel` | server | asks the supervisor to end the child |
//! | `exit.json` | supervisor | how it ended; last, by rename |
//! | `supervisor.log` | supervisor | its own complaints |

mod child;
mod handle;
mod launcher;
mod proc;
mod pump;
mod redact;
mod shapes;
mod spec;

pub use child::{SuperviseError, supervise};
pub use handle::{Found, InspectError, cancel, inspect, may_have_begun, prepare};
pub use launcher::{LaunchError, Launcher};
pub use proc::ProcessId;
pub(crate) use proc::{end_survivors, values_of};
pub use redact::PatternError;
pub(crate) use redact::masked;
pub use spec::{Exit, OutputRules, RecordError, Spec};

/// File names inside an attempt's folder.
pub mod names {
    pub const SPEC: &str = "spec.json";
    pub const LOCK: &str = "lock";
    pub const BEGUN: &str = "begun";
    pub const OUTPUT: &str = "output.log";
    pub const EVENTS: &str = "events.jsonl";
    pub const CANCEL: &str = "cancel";
    pub const EXIT: &str = "exit.json";
    pub const SUPERVISOR_LOG: &str = "supervisor.log";
}

/// Set in every supervised process to its attempt's folder, so that survivors of a lost supervisor can be found.
const MARKER: &str = "SLIPWAY_ATTEMPT";
