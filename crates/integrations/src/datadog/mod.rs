//! Datadog: checking keys, asking for metrics and hosts, telling of deployments.

mod client;
mod inventory;
mod types;

pub use client::{Client, Error, Queried};
pub use inventory::{Inventory, Selection, TagKey};
pub use types::{AlertType, Event, Host, Point, Series};
