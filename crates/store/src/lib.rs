//! All SQL and transactions. One source runs on SQLite and PostgreSQL; what cannot be portable is in `native`.
//!
//! Every function that changes something takes a [`policy::Permit`], every read takes a [`policy::Scope`], so neither an
//! unauthorised write nor an unfiltered read compiles. Times and ids come in as arguments.

mod attempt;
mod audit;
mod cells;
mod change_request;
mod cursor;
mod database;
mod delivery;
mod environment;
mod error;
mod facts;
mod host;
mod job;
mod lock;
mod native;
mod outbox;
mod person;
mod project;
mod reservation;
mod rollout;
mod service;
mod session;
mod sql;
mod team;
mod token;
mod variable;

pub use attempt::{CancelWish, Claim, Claimed, Ended, KeptAttempt, OpenAttempt, Room};
pub use audit::AuditFilter;
pub use database::Store;
pub use error::StoreError;
pub use host::{Import, Imported};
pub use job::{FinishedJob, JobFilter, JobHost};
pub use lock::ServeLock;
pub use outbox::OutboxMessage;
pub use person::{Giver, NewGrant, Person, PersonNow};
pub use rollout::{Commit, Loaded, NewRollout, RolloutFilter, Standing};
pub use session::Ending;
pub use token::{Acts, Holder, TokenRow};
pub use variable::{NewVariable, Owner};
