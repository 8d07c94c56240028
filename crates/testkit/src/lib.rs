//! Builders, a manual clock and throw-away databases for tests.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that cannot go on fails the test that called it"
)]

mod build;
mod clock;
mod database;
mod people;
mod postgres;
mod world;

pub use build::{
    change_request, environment, hosts, inventory, plan, rollout, service, strategy, team,
};
pub use clock::{ManualClock, mint, start};
pub use database::{Database, run};
pub use people::{grant, permit, subject, system};
pub use world::World;

/// Makes two tests of each `async fn name(db: Database)`: `name::sqlite` and `name::postgres`.
#[macro_export]
macro_rules! on_each_database {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$name($crate::Database::sqlite().await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                super::$name($crate::Database::postgres().await).await;
            }
        }
    )+};
}
