//! The tests a judgement rests on, all one-sided: small p-values say "worse than allowed".

use statrs::distribution::{Binomial, ContinuousCDF, DiscreteCDF, Normal, StudentsT};

/// How many of how many.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Proportion {
    pub hits: f64,
    pub of: f64,
}

impl Proportion {
    /// 0–1; `of` must not be zero.
    pub fn rate(self) -> f64 {
        self.hits / self.of
    }
}

/// One-sided p-value of "the current proportion exceeds the baseline's by more than `margin`".
///
/// Two-proportion z-test with pooled variance, `z = (p₁ − p₀ − margin) / √(p̂ (1 − p̂) (1/n₁ + 1/n₀))`:
/// NIST/SEMATECH e-Handbook of Statistical Methods, 7.3.3, "How can we determine whether two processes produce the same
/// proportion of defectives?", with the margin in the null hypothesis. The normal approximation is far too ready to fail
/// on a handful of requests (one error among ten would be "significant"), so the exact binomial tail `P(X ≥ hits)` at
/// the rate `p₀ + margin` has to agree (7.2.4 of the same book): the larger p-value is given.
pub fn exceeds_proportion(baseline: Proportion, current: Proportion, margin: f64) -> f64 {
    let pooled = (baseline.hits + current.hits) / (baseline.of + current.of);
    let deviation = (pooled * (1.0 - pooled) * (1.0 / baseline.of + 1.0 / current.of)).sqrt();
    let excess = current.rate() - baseline.rate() - margin;
    let approximate = if deviation > 0.0 {
        Normal::standard().sf(excess / deviation)
    } else {
        1.0
    };
    approximate.max(binomial_tail(current, (baseline.rate() + margin).min(1.0)))
}

/// `P(X ≥ hits)` of `of` trials at `rate`. Fractions are rounded towards the larger probability.
fn binomial_tail(seen: Proportion, rate: f64) -> f64 {
    let (hits, of) = (seen.hits.floor() as u64, seen.of.ceil() as u64);
    match (hits.checked_sub(1), Binomial::new(rate, of)) {
        (Some(fewer), Ok(binomial)) => binomial.sf(fewer),
        _ => 1.0,
    }
}

/// Mean and variance of a sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moments {
    pub n: f64,
    pub mean: f64,
    /// Unbiased.
    pub variance: f64,
}

impl Moments {
    /// `None` for fewer than two values, which have no variance.
    pub fn of(values: &[f64]) -> Option<Self> {
        if values.len() < 2 {
            return None;
        }
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values
            .iter()
            .map(|value| (value - mean).powi(2))
            .sum::<f64>()
            / (n - 1.0);
        Some(Self { n, mean, variance })
    }

    /// Variance of the mean.
    fn squared_error(self) -> f64 {
        self.variance / self.n
    }
}

/// The mean shift of several pairs of samples, each `(baseline, current)`, and the one-sided p-value of "more than
/// `margin`". `pairs` must not be empty.
///
/// Welch's t-test: `t = (d − margin) / √V` with `V = Σ s²/n` over all samples, and the degrees of freedom of Welch and
/// Satterthwaite, `V² / Σ ((s²/n)² / (n − 1))`. With one pair it is the textbook test (NIST/SEMATECH e-Handbook,
/// 1.3.5.3); with several it is the same test of the mean of their shifts, as B. L. Welch gave it for any number of
/// samples in "The generalization of 'Student's' problem when several different population variances are involved",
/// Biometrika 34 (1947), 28–35.
pub fn shift_exceeds(pairs: &[(Moments, Moments)], margin: f64) -> (f64, f64) {
    let count = pairs.len() as f64;
    let shift = pairs
        .iter()
        .map(|(baseline, current)| current.mean - baseline.mean)
        .sum::<f64>()
        / count;
    let samples = || {
        pairs
            .iter()
            .flat_map(|(baseline, current)| [baseline, current])
    };
    let variance: f64 = samples().map(|sample| sample.squared_error()).sum();
    let spread: f64 = samples()
        .map(|sample| sample.squared_error().powi(2) / (sample.n - 1.0))
        .sum();
    let excess = shift - margin;
    let p_value = match StudentsT::new(0.0, 1.0, variance * variance / spread) {
        Ok(student) => student.sf(excess * count / variance.sqrt()),
        // No variance at all: constant values leave no doubt.
        Err(_) if excess > 0.0 => 0.0,
        Err(_) => 1.0,
    };
    (shift, p_value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(left: f64, right: f64, by: f64) {
        assert!((left - right).abs() < by, "{left} is not {right}");
    }

    #[test]
    fn two_proportions_as_worked_by_hand() {
        // 12 of 200 against 8 of 200: p̂ = 0.05, z = 0.02 / √(0.05 · 0.95 · 0.01) = 0.9177.
        let p = exceeds_proportion(
            Proportion {
                hits: 8.0,
                of: 200.0,
            },
            Proportion {
                hits: 12.0,
                of: 200.0,
            },
            0.0,
        );
        near(p, 0.1794, 5e-4);
    }

    #[test]
    fn one_error_in_ten_requests_is_no_proof() {
        let p = exceeds_proportion(
            Proportion {
                hits: 0.0,
                of: 1000.0,
            },
            Proportion {
                hits: 1.0,
                of: 10.0,
            },
            0.01,
        );
        near(p, 1.0 - 0.99_f64.powi(10), 1e-9);
    }

    #[test]
    fn welch_as_scipy_has_it() {
        // scipy.stats.ttest_ind(current, baseline, equal_var=False, alternative="greater")
        let baseline = [
            27.5, 21.0, 19.0, 23.6, 17.0, 17.9, 16.9, 20.1, 21.9, 22.6, 23.1, 19.6, 19.0, 21.7,
            21.4,
        ];
        let current = [
            27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0, 24.8, 20.2, 21.9, 22.1, 22.9, 30.5,
            25.3,
        ];
        let (Some(baseline), Some(current)) = (Moments::of(&baseline), Moments::of(&current))
        else {
            panic!("both have values")
        };
        let (shift, p) = shift_exceeds(&[(baseline, current)], 0.0);
        near(shift, current.mean - baseline.mean, 1e-12);
        near(p, 0.003_608_380_727, 1e-9);
    }

    #[test]
    fn constant_values_leave_no_doubt() {
        let constant = |mean| Moments {
            n: 5.0,
            mean,
            variance: 0.0,
        };
        assert_eq!(shift_exceeds(&[(constant(1.0), constant(2.0))], 0.5).1, 0.0);
        assert_eq!(shift_exceeds(&[(constant(1.0), constant(1.5))], 0.5).1, 1.0);
    }
}
