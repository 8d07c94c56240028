//! Datadog: checking keys, asking for metrics and hosts, telling of deployments.

mod client;
mod types;

pub use client::{Client, Error};
pub use types::{AlertType, Event, Host, Point, Series};
