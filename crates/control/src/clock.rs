//! Where time, new ids and randomness come from, so that tests decide them.

use domain::Timestamp;
use uuid::Uuid;

/// The only source of time, of new ids and of randomness.
pub trait Clock: Send + Sync + 'static {
    fn now(&self) -> Timestamp;
    /// A fresh UUIDv7.
    fn mint(&self) -> Uuid;
    /// Bytes nobody can guess, for secrets.
    fn random(&self) -> [u8; 32];
}
