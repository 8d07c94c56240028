//! Types, state machines and rules. Values in, values out: no IO, no clock, no randomness.

pub mod attempt;
pub mod audit;
pub mod batch;
pub mod budget;
pub mod change_request;
pub mod delivery;
pub mod environment;
pub mod facts;
pub mod host;
pub mod id;
pub mod inventory;
pub mod job;
pub mod moment;
pub mod partition;
pub mod person;
pub mod plan;
pub mod project;
pub mod reach;
pub mod release;
pub mod rollout;
pub mod selection;
pub mod service;
pub mod strategy;
pub mod team;
pub mod text;
pub mod variable;
pub mod verdict;
mod words;

pub use jiff::{SignedDuration, Timestamp};
