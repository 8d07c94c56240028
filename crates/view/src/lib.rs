//! Read models: what pages and the API show, already aggregated. Serde only.

pub mod access;
pub mod audit;
pub mod delivery;
pub mod environment;
pub mod error;
pub mod input;
pub mod job;
pub mod page;
pub mod person;
pub mod project;
pub mod rollout;
pub mod service;
pub mod token;
pub mod variable;
