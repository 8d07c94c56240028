//! The store on both databases.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod attempts;
mod audit;
mod commits;
mod damage;
mod inventory;
mod journey;
mod people;
mod reading;
