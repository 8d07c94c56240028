//! Use cases and reconcilers: asks for permission, loads, lets `domain` decide, and commits.

mod access;
mod audit;
mod automation;
mod clock;
mod console;
mod delivery;
mod environment;
mod error;
mod explain;
mod foreseen;
mod job;
mod log;
mod person;
mod project;
mod reach;
mod reconcile;
mod refusal;
mod review;
mod rollout;
mod run;
mod seal;
mod service;
mod signal;
mod telemetry;
#[cfg(test)]
mod testing;
mod token;
mod variable;

pub use access::SignIn;
pub use clock::Clock;
pub use console::{Console, Ctx, DatadogSettings, JobLimits, OutputSettings, RoleRule, Settings};
pub use error::Error;
pub use integrations::{ansible::Settings as AnsibleSettings, output::S3, supervisor::OutputRules};
pub use log::Growth;
pub use seal::{Seal, SealError, SecretKey};
pub use signal::Signal;
pub use store::{ServeLock, StoreError};
pub use telemetry::Charted;
pub use token::NewToken;
