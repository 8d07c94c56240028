//! The one place of the console that reads the system's clock, makes ids and draws random bytes.

use domain::Timestamp;
use uuid::Uuid;

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl control::Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn mint(&self) -> Uuid {
        Uuid::now_v7()
    }

    fn random(&self) -> [u8; 32] {
        rand::random()
    }
}
