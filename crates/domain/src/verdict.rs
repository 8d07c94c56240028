//! What telemetry says of a batch, with the numbers it says it from.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The outcome of a judgement. Only [`Outcome::Pass`] passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Pass,
    Marginal,
    InsufficientSamples,
    NoData,
    ProviderError,
    Fail,
}

impl Outcome {
    /// Whether evidence is missing, so that the next look may well tell something else.
    pub const fn lacks_evidence(self) -> bool {
        match self {
            Self::InsufficientSamples | Self::NoData | Self::ProviderError => true,
            Self::Pass | Self::Marginal | Self::Fail => false,
        }
    }
}

crate::words::words!(Outcome "verdict": Pass = "pass", Marginal = "marginal", InsufficientSamples = "insufficient_samples",
    NoData = "no_data", ProviderError = "provider_error", Fail = "fail");

/// What was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    ErrorRate,
    Latency,
    Liveness,
}

crate::words::words!(Dimension "dimension": ErrorRate = "error_rate", Latency = "latency", Liveness = "liveness");

/// One dimension of a verdict: baseline beside measured value, and what was allowed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    pub dimension: Dimension,
    pub outcome: Outcome,
    /// `%` for error rate, `ms` for latency, `hosts` for liveness.
    pub unit: String,
    pub baseline: Option<f64>,
    pub measured: Option<f64>,
    /// The largest (liveness: smallest) value that would still have passed.
    pub limit: Option<f64>,
    pub baseline_samples: u32,
    pub measured_samples: u32,
    /// One-sided p-value of "worse than the limit allows", where a test applies.
    pub p_value: Option<f64>,
    /// One sentence for a person.
    pub explanation: String,
}

/// What telemetry says of one batch at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    pub outcome: Outcome,
    #[serde(with = "crate::moment")]
    pub at: Timestamp,
    pub measurements: Vec<Measurement>,
    /// The queries asked, for whoever wants to repeat them.
    pub queries: Vec<String>,
}

impl Verdict {
    /// Combines measurements: a single Fail fails; otherwise the worst counts; no measurement at all is no data.
    pub fn of(measurements: Vec<Measurement>, queries: Vec<String>, at: Timestamp) -> Self {
        let outcome = measurements
            .iter()
            .map(|measurement| measurement.outcome)
            .max()
            .unwrap_or(Outcome::NoData);
        Self {
            outcome,
            at,
            measurements,
            queries,
        }
    }

    /// The explanation that decided, for headlines and reasons.
    pub fn headline(&self) -> String {
        self.measurements
            .iter()
            .filter(|measurement| measurement.outcome == self.outcome)
            .map(|measurement| measurement.explanation.as_str())
            .collect::<Vec<_>>()
            .join(" ")
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.headline())
    }
}
