//! Asks telemetry about a batch: for a verdict, and for the charts.

mod charts;

use std::{collections::BTreeSet, time::Duration};

use domain::{
    SignedDuration, Timestamp,
    batch::{Batch, BatchState},
    rollout::Rollout,
    service::Telemetry,
    verdict::Verdict,
};
use integrations::datadog::Series;
use judge::{ProviderFault, Samples, Stretch, Window};
use policy::system_scope;
use tokio::time::timeout;

pub use charts::Charted;
pub(crate) use charts::Charts;

use crate::{Console, Error};

/// The longest stretch a batch is compared with.
const LONGEST: SignedDuration = SignedDuration::from_hours(1);
/// The shortest, in intervals, so that a short bake is not compared with a handful of points.
const FEWEST_INTERVALS: i64 = 30;
/// How far Slipway's clock and that of telemetry may be apart.
const MOST_SKEW: SignedDuration = SignedDuration::from_secs(15);
/// How long telemetry has to answer, all queries together; they are asked at once.
const PATIENCE: Duration = Duration::from_secs(10);

/// The answers to a service's queries over one range.
struct Answers {
    queries: Vec<String>,
    requests: Result<Vec<Series>, ProviderFault>,
    errors: Result<Vec<Series>, ProviderFault>,
    latency: Result<Vec<Series>, ProviderFault>,
    liveness: Result<Vec<Series>, ProviderFault>,
    /// The longest interval any answer used.
    interval: SignedDuration,
}

impl Console {
    async fn ask(
        &self,
        telemetry: &Telemetry,
        environment: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Answers {
        let fill = |query: &str| query.replace("{env}", environment);
        let queries: Vec<String> = [
            &telemetry.requests,
            &telemetry.errors,
            &telemetry.latency,
            &telemetry.liveness,
        ]
        .map(|query| fill(query))
        .into();
        let (requests, errors, latency, liveness) = tokio::join!(
            self.ask_one(&queries[0], from, to),
            self.ask_one(&queries[1], from, to),
            self.ask_one(&queries[2], from, to),
            self.ask_one(&queries[3], from, to)
        );
        let longest = [&requests, &errors, &latency, &liveness]
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|series| series.interval)
            .map(|interval| interval.as_secs())
            .max();
        let configured = self.interval().as_secs();
        let interval = SignedDuration::from_secs(longest.unwrap_or(configured).max(1));
        Answers {
            queries,
            requests,
            errors,
            latency,
            liveness,
            interval,
        }
    }

    async fn ask_one(
        &self,
        query: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Series>, ProviderFault> {
        let Some(client) = &self.inner.datadog else {
            return Err(ProviderFault::new(
                "no telemetry is configured; give Slipway a Datadog address and keys",
            ));
        };
        match timeout(PATIENCE, client.query(query, from, to)).await {
            Ok(Ok(answer)) => {
                if let Some(skew) = answer.at.and_then(|at| skew(self.now(), at)) {
                    return Err(ProviderFault::new(format!(
                        "Slipway's clock is {skew} Datadog's, so nobody knows which points are of before the change; set the clock of the machine that Slipway runs on"
                    )));
                }
                Ok(answer.series)
            }
            Ok(Err(error)) => Err(ProviderFault::new(error.to_string().trim_end_matches('.'))),
            Err(_) => Err(ProviderFault::new(format!(
                "no answer from Datadog within {} s",
                PATIENCE.as_secs()
            ))),
        }
    }
}

/// “25 s behind”, where two clocks differ by more than passes for a slow answer.
fn skew(ours: Timestamp, theirs: Timestamp) -> Option<String> {
    let skew = ours.duration_since(theirs);
    let seconds = skew.abs().as_secs();
    let side = if skew.is_negative() {
        "behind"
    } else {
        "ahead of"
    };
    (skew.abs() > MOST_SKEW).then(|| format!("{seconds} s {side}"))
}

fn samples(series: &Result<Vec<Series>, ProviderFault>) -> Result<Samples, ProviderFault> {
    let series = series.as_ref().map_err(Clone::clone)?.iter();
    Ok(series.flat_map(points).collect())
}

/// Points by host; a series without a host tag cannot be told apart and is left out.
fn points(series: &Series) -> impl Iterator<Item = (String, Timestamp, f64)> + '_ {
    let host = series.tag("host").unwrap_or_default().to_owned();
    let named = !host.is_empty();
    series
        .points
        .iter()
        .filter(move |_| named)
        .map(move |point| (host.clone(), point.at, point.value))
}

impl Answers {
    /// No answer, for one reason.
    fn refused(why: &str) -> Self {
        let fault = || Err(ProviderFault::new(why));
        Self {
            queries: Vec::new(),
            requests: fault(),
            errors: fault(),
            latency: fault(),
            liveness: fault(),
            interval: SignedDuration::from_secs(1),
        }
    }

    /// Without the series of these hosts.
    fn without(mut self, hosts: &BTreeSet<String>) -> Self {
        for series in [
            &mut self.requests,
            &mut self.errors,
            &mut self.latency,
            &mut self.liveness,
        ]
        .into_iter()
        .flatten()
        {
            series.retain(|one| one.tag("host").is_none_or(|host| !hosts.contains(host)));
        }
        self
    }

    /// Every query whose answer is drawn was answered.
    fn are_whole(&self) -> bool {
        self.requests.is_ok() && self.errors.is_ok() && self.latency.is_ok()
    }

    fn stretch(&self, from: Timestamp, until: Timestamp) -> Stretch {
        Stretch {
            from,
            until,
            requests: Some(samples(&self.requests)),
            errors: Some(samples(&self.errors)),
            latency: Some(samples(&self.latency)),
            liveness: Some(samples(&self.liveness)),
        }
    }

    /// The last moment up to which points are whole. The newest complete interval may still be filling, since agents
    /// send it only after it has ended, so it is left out as well.
    fn trusted_until(&self, now: Timestamp) -> Timestamp {
        let interval = i64::try_from(self.interval.as_millis())
            .unwrap_or(i64::MAX)
            .max(1);
        let millis = now.as_millisecond();
        Timestamp::from_millisecond(millis - millis.rem_euclid(interval) - interval).unwrap_or(now)
    }
}

/// The start of the first interval that begins at or after `at`; intervals are counted from the epoch.
fn next_interval(at: Timestamp, interval: SignedDuration) -> Timestamp {
    let interval = i64::try_from(interval.as_millis())
        .unwrap_or(i64::MAX)
        .max(1);
    let into = at.as_millisecond().rem_euclid(interval);
    let wait = if into == 0 { 0 } else { interval - into };
    at.checked_add(SignedDuration::from_millis(wait))
        .unwrap_or(at)
}

fn before(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}

/// Judges one batch against what its own hosts did before they were touched.
pub(crate) async fn judge_batch(
    console: &Console,
    rollout: &Rollout,
    batch: &Batch,
) -> Result<Verdict, Error> {
    let now = console.now();
    let service = console
        .store()
        .service_by_id(&system_scope(), rollout.plan.service)
        .await?;
    let touched = batch.started_at.unwrap_or(now);
    let since = match &batch.state {
        BatchState::Baking { since, .. } => *since,
        _ => batch.verified_at.unwrap_or(now),
    };
    let bake_ms =
        i64::try_from(batch.bake_seconds.saturating_mul(1000) / console.time_scale().max(1))
            .unwrap_or(i64::MAX);
    let length =
        SignedDuration::from_millis(bake_ms).clamp(console.shortest().min(LONGEST), LONGEST);
    let environment = rollout.plan.environment_slug.as_str();
    // Times from before and after a clock was set back say nothing of what came first.
    if since < touched || now < since {
        let why = "Slipway's clock was set back while this batch was under way, so nobody knows which points are of before the change; see that the clock is right, then watch the batch longer or decide yourself";
        let nothing = || Answers::refused(why).stretch(now, now);
        let window = Window {
            hosts: planned(rollout, batch.number).map(str::to_owned).collect(),
            interval: console.interval(),
            baseline: nothing(),
            current: nothing(),
        };
        let tolerance = &rollout.plan.strategy.tolerance;
        return Ok(judge::judge(&window, tolerance, now, Vec::new()));
    }
    // Asked for apart: over the days of a long bake one answer would have intervals of many minutes.
    let (baseline, current) = tokio::join!(
        console.ask(
            &service.telemetry,
            environment,
            before(touched, length),
            touched
        ),
        console.ask(
            &service.telemetry,
            environment,
            since.max(before(now, LONGEST)),
            now
        )
    );
    let interval = baseline.interval.max(current.interval);
    let until = current.trusted_until(now);
    // The interval in which the batch was verified still holds the end of the deployment.
    let from = next_interval(since, interval).max(before(until, LONGEST));
    // Nobody promises anything of a host that was taken out.
    let excluded = console
        .store()
        .left_out(&system_scope(), rollout.id)
        .await?;
    let hosts: BTreeSet<String> = planned(rollout, batch.number)
        .filter(|host| !excluded.contains(*host))
        .map(str::to_owned)
        .collect();
    let window = Window {
        hosts,
        interval,
        baseline: baseline.stretch(before(touched, length), touched),
        current: current.stretch(from, until),
    };
    Ok(judge::judge(
        &window,
        &rollout.plan.strategy.tolerance,
        now,
        current.queries,
    ))
}

fn planned(rollout: &Rollout, batch: u32) -> impl Iterator<Item = &str> {
    rollout
        .plan
        .batches
        .iter()
        .filter(move |planned| planned.number == batch)
        .flat_map(|planned| &planned.hosts)
        .map(|host| host.name.as_str())
}

impl Console {
    fn interval(&self) -> SignedDuration {
        SignedDuration::from_secs(i64::try_from(self.interval_seconds()).unwrap_or(1))
    }

    /// The shortest stretch of time worth asking about.
    fn shortest(&self) -> SignedDuration {
        let interval = self.interval().as_secs();
        SignedDuration::from_secs(interval.saturating_mul(FEWEST_INTERVALS))
    }
}
