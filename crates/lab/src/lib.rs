//! The proving ground: hosts one can deploy to, a Datadog-compatible endpoint, an identity provider,
//! and faults, all on loopback addresses and in one folder.
//!
//! Slipway knows nothing of it: it is given addresses, keys and an inventory, as with real ones.

mod artifacts;
pub mod bench;
mod datadog;
pub mod demo;
mod disk;
pub mod faults;
mod fleet;
mod folder;
mod hosts;
mod idp;
mod lab;
mod ports;
pub mod processes;
mod record;
mod secrets;
mod sshd;
pub mod torture;

pub use faults::Fault;
pub use fleet::Criticality;
pub use lab::{Lab, Options};
pub use record::{
    Artifact, Artifacts, DatadogKeys, HostRecord, Oidc, Person, Record, Service, Ssh,
};
