//! Time and ids that tests decide.

use std::sync::{
    Arc,
    atomic::{AtomicI64, AtomicU64, Ordering},
};

use domain::{SignedDuration, Timestamp};
use uuid::Uuid;

/// The moment every manual clock starts at: 1 May 2026, noon UTC.
pub fn start() -> Timestamp {
    Timestamp::from_millisecond(1_777_636_800_000).expect("a valid moment")
}

/// A clock that moves only when it is told to. Clones share one time.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<AtomicI64>);

impl Default for ManualClock {
    fn default() -> Self {
        Self(Arc::new(AtomicI64::new(start().as_millisecond())))
    }
}

impl ManualClock {
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0.load(Ordering::SeqCst)).expect("a valid moment")
    }

    /// Moves on; gives the new time.
    pub fn advance(&self, by: SignedDuration) -> Timestamp {
        let millis = i64::try_from(by.as_millis()).expect("a length of time that fits");
        self.0.fetch_add(millis, Ordering::SeqCst);
        self.now()
    }

    pub fn advance_seconds(&self, seconds: i64) -> Timestamp {
        self.advance(SignedDuration::from_secs(seconds))
    }
}

/// A new id, unique and growing within the process.
pub fn mint() -> Uuid {
    static COUNTER: AtomicU64 = AtomicU64::new(1);
    let number = COUNTER.fetch_add(1, Ordering::SeqCst);
    let mut rest = [0; 10];
    rest[2..].copy_from_slice(&number.to_be_bytes());
    let millis = u64::try_from(start().as_millisecond()).expect("after 1970");
    uuid::Builder::from_unix_timestamp_millis(millis, &rest).into_uuid()
}
