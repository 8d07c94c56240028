//! What a judgement reads: the answers of a telemetry provider over two stretches of time.

use std::collections::{BTreeMap, BTreeSet};

use domain::{SignedDuration, Timestamp};

/// Why a provider did not answer a query, as a sentence without its full stop.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ProviderFault {
    pub message: String,
}

impl ProviderFault {
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
        }
    }
}

/// The answer to one query; `None` when there is no such query to ask.
pub type Answer = Option<Result<Samples, ProviderFault>>;

/// A host that has a point in one of this many newest complete intervals still reports.
pub(crate) const FRESH_INTERVALS: i32 = 5;

/// Beyond this a value is no measurement, and sums would lose whole requests.
const LARGEST: f64 = 1e15;

/// The points of one query: for each host, the value of each interval by the interval's start.
///
/// Only values from zero to 10¹⁵ are kept; anything else (not a number, infinite, negative) is as good as missing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Samples {
    hosts: BTreeMap<String, BTreeMap<Timestamp, f64>>,
}

impl Samples {
    /// Adds a point; a second one for the same host and interval replaces the first.
    pub fn push(&mut self, host: impl Into<String>, at: Timestamp, value: f64) {
        if (0.0..=LARGEST).contains(&value) {
            self.hosts.entry(host.into()).or_default().insert(at, value);
        }
    }
}

impl<H: Into<String>> Extend<(H, Timestamp, f64)> for Samples {
    fn extend<I: IntoIterator<Item = (H, Timestamp, f64)>>(&mut self, points: I) {
        for (host, at, value) in points {
            self.push(host, at, value);
        }
    }
}

impl<H: Into<String>> FromIterator<(H, Timestamp, f64)> for Samples {
    fn from_iter<I: IntoIterator<Item = (H, Timestamp, f64)>>(points: I) -> Self {
        let mut samples = Self::default();
        samples.extend(points);
        samples
    }
}

/// A stretch of time and what each query answered for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Stretch {
    /// Start of the first interval.
    pub from: Timestamp,
    /// End of the last interval that is complete, taken from the clock: were it taken from the newest point, a host that
    /// went silent would not be missed. Intervals that end later are not read.
    pub until: Timestamp,
    /// Requests in each interval (a count, not a rate).
    pub requests: Answer,
    /// Failed requests in each interval (a count, not a rate).
    pub errors: Answer,
    /// Latency of each interval, in milliseconds.
    pub latency: Answer,
    /// Anything each living host reports.
    pub liveness: Answer,
}

/// What a batch is judged on.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// The hosts of the batch, named as telemetry names them. Points of other hosts are not read.
    pub hosts: BTreeSet<String>,
    /// Length of the provider's point interval.
    pub interval: SignedDuration,
    /// Before the change.
    pub baseline: Stretch,
    /// Since the change.
    pub current: Stretch,
}

/// The points of one host, by the start of their interval.
pub(crate) type Points = BTreeMap<Timestamp, f64>;

/// The points of one query that count: of hosts of the batch, in complete intervals of the stretch.
pub(crate) type Trusted<'a> = BTreeMap<&'a str, Points>;

impl Window {
    pub(crate) fn trusted<'a>(&self, stretch: &Stretch, samples: &'a Samples) -> Trusted<'a> {
        let complete = |at: &Timestamp| {
            *at >= stretch.from
                && at
                    .checked_add(self.interval)
                    .is_ok_and(|end| end <= stretch.until)
        };
        samples
            .hosts
            .iter()
            .filter(|(host, _)| self.hosts.contains(*host))
            .map(|(host, points)| {
                (
                    host.as_str(),
                    points
                        .iter()
                        .filter(|(at, _)| complete(at))
                        .map(|(at, value)| (*at, *value))
                        .collect::<Points>(),
                )
            })
            .filter(|(_, points)| !points.is_empty())
            .collect()
    }

    /// Whether the host of these points still reports: one of them is among the newest.
    pub(crate) fn still_reports(&self, points: Option<&Points>) -> bool {
        let fresh = self.interval.saturating_mul(FRESH_INTERVALS);
        let since = self.current.until.checked_sub(fresh);
        let since = since.unwrap_or(Timestamp::MIN);
        points.is_some_and(|points| points.range(since..).next().is_some())
    }

    /// Whether hosts outside the batch reported before, and none of them does now.
    pub(crate) fn others_are_late(&self) -> bool {
        let (Some(Ok(before)), Some(Ok(now))) = (&self.baseline.liveness, &self.current.liveness)
        else {
            return false;
        };
        let is_other = |host: &String| !self.hosts.contains(host);
        let mut others = before.hosts.keys().filter(|host| is_other(host)).peekable();
        others.peek().is_some() && !others.any(|host| self.still_reports(now.hosts.get(host)))
    }

    /// How many complete intervals a stretch is long.
    pub(crate) fn intervals(&self, stretch: &Stretch) -> u64 {
        let length = stretch.until.duration_since(stretch.from).as_millis();
        u64::try_from(length / self.interval.as_millis().max(1)).unwrap_or(0)
    }
}
