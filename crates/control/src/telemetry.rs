//! Asks telemetry about a batch: for a verdict, and for the charts.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use domain::{
    SignedDuration, Timestamp,
    batch::{Batch, BatchState},
    id::RolloutId,
    rollout::{Rollout, RolloutState},
    service::Telemetry,
    verdict::{Dimension, Verdict},
};
use integrations::datadog::Series;
use judge::{ProviderFault, Samples, Stretch, Window};
use policy::system_scope;
use tokio::time::timeout;
use view::{
    error::ApiError,
    rollout::{ChartLine, ChartMarker, ChartView},
};

use crate::{Console, Ctx, Error};

/// The longest stretch a batch is compared with.
const LONGEST: SignedDuration = SignedDuration::from_hours(1);
/// The shortest, in intervals, so that a short bake is not compared with a handful of points.
const FEWEST_INTERVALS: i64 = 30;
/// How long telemetry has to answer, all queries together; they are asked at once.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a page waits for its charts: whoever wants to stop a rollout must not wait for Datadog.
const PAGE_PATIENCE: Duration = Duration::from_secs(2);

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
            Ok(answer) => {
                answer.map_err(|error| ProviderFault::new(error.to_string().trim_end_matches('.')))
            }
            Err(_) => Err(ProviderFault::new(format!(
                "no answer from Datadog within {} s",
                PATIENCE.as_secs()
            ))),
        }
    }
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
    let hosts: BTreeSet<String> = planned(rollout, batch.number).map(str::to_owned).collect();
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

/// Charts as last drawn, by rollout: however many people look, telemetry is asked once an interval.
#[derive(Default)]
pub(crate) struct Charts(Mutex<HashMap<RolloutId, Arc<Slot>>>);

#[derive(Default)]
struct Slot {
    /// Held while telemetry is asked, so that everybody else who looks gets the same answer.
    asking: tokio::sync::Mutex<()>,
    last: Mutex<Option<Drawn>>,
}

#[derive(Clone)]
struct Drawn {
    charts: Arc<Charted>,
    good_until: Timestamp,
    /// Better than nothing until then, while telemetry is slow.
    kept_until: Timestamp,
}

impl Slot {
    fn last(&self) -> Option<Drawn> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.clone()
    }

    fn fresh(&self, now: Timestamp) -> Option<Arc<Charted>> {
        let last = self.last().filter(|last| now < last.good_until)?;
        Some(last.charts)
    }
}

/// Charts, and the markup that is made of them once, however many look.
#[derive(Debug, Default)]
pub struct Charted {
    pub charts: Vec<ChartView>,
    markup: OnceLock<String>,
}

impl Charted {
    fn new(charts: Vec<ChartView>) -> Arc<Self> {
        Arc::new(Self {
            charts,
            markup: OnceLock::new(),
        })
    }

    /// What `draw` makes of the charts, or made of them for somebody else.
    pub fn markup(&self, draw: impl FnOnce(&[ChartView]) -> String) -> &str {
        self.markup.get_or_init(|| draw(&self.charts))
    }
}

impl Charts {
    /// The place of one rollout; places nobody looks at any more are given up.
    fn slot(&self, id: RolloutId, now: Timestamp) -> Arc<Slot> {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|_, slot| {
            Arc::strong_count(slot) > 1 || slot.last().is_some_and(|last| now < last.kept_until)
        });
        Arc::clone(slots.entry(id).or_default())
    }
}

impl Ctx {
    /// Error rate and latency of every batch over time, with the deployments marked; none before the release.
    pub async fn charts(&self, id: RolloutId) -> Result<Arc<Charted>, ApiError> {
        self.answer(async {
            let scope = self.scope()?;
            let (released, state) = self.store().rollout_state(&scope, id).await?;
            let now = self.console.now();
            let Some(shown) = self.console.charted(released, &state) else {
                return Ok(Arc::default());
            };
            let slot = self.console.inner.charts.slot(id, now);
            if let Some(fresh) = slot.fresh(now) {
                return Ok(fresh);
            }
            let rollout = Arc::new(self.store().rollout(&scope, id).await?.rollout);
            // Goes on when the page does not wait for it, and is there for the next one.
            let (console, about, place) = (
                self.console.clone(),
                Arc::clone(&rollout),
                Arc::clone(&slot),
            );
            let drawing = tokio::spawn(async move { console.charts(&about, &place, shown).await });
            match (timeout(PAGE_PATIENCE, drawing).await, slot.last()) {
                (Ok(charts), _) => charts.map_err(|error| Error::Internal(error.to_string()))?,
                (Err(_), Some(last)) => Ok(last.charts),
                (Err(_), None) => {
                    let late = Answers::refused("it takes its time; the charts come when it does");
                    Ok(Charted::new(drawn(&rollout, &late, shown, now)))
                }
            }
        })
        .await
    }

    /// Whether the charts of a rollout still get points.
    pub async fn charts_grow(&self, id: RolloutId) -> Result<bool, ApiError> {
        self.answer(async {
            let (released, state) = self.store().rollout_state(&self.scope()?, id).await?;
            let shown = self.console.charted(released, &state);
            Ok(shown.is_some_and(|shown| shown.grows))
        })
        .await
    }
}

/// The time a chart shows.
#[derive(Clone, Copy)]
struct Range {
    from: Timestamp,
    to: Timestamp,
    /// There will be more points.
    grows: bool,
}

impl Console {
    /// What the charts of a rollout show; nothing before its release.
    fn charted(&self, released: Option<Timestamp>, state: &RolloutState) -> Option<Range> {
        let (now, lead) = (self.now(), self.shortest());
        let last = ended_at(state).and_then(|ended| ended.checked_add(lead).ok());
        Some(Range {
            from: before(released?, lead),
            to: last.unwrap_or(now).min(now),
            grows: last.is_none_or(|last| now <= last),
        })
    }

    fn interval(&self) -> SignedDuration {
        SignedDuration::from_secs(i64::try_from(self.interval_seconds()).unwrap_or(1))
    }

    /// The shortest stretch of time worth asking about.
    fn shortest(&self) -> SignedDuration {
        let interval = self.interval().as_secs();
        SignedDuration::from_secs(interval.saturating_mul(FEWEST_INTERVALS))
    }

    async fn charts(
        &self,
        rollout: &Rollout,
        slot: &Slot,
        shown: Range,
    ) -> Result<Arc<Charted>, Error> {
        let _asking = slot.asking.lock().await;
        if let Some(fresh) = slot.fresh(self.now()) {
            return Ok(fresh);
        }
        let service = self
            .store()
            .service_by_id(&system_scope(), rollout.plan.service)
            .await?;
        let environment = rollout.plan.environment_slug.as_str();
        let answers = self
            .ask(&service.telemetry, environment, shown.from, shown.to)
            .await;
        // What took long to ask for is good for as long as what did not.
        let now = self.now();
        let charts = Charted::new(drawn(rollout, &answers, shown, now));
        // Nothing is added to the chart of a rollout that ended a while ago.
        let good_for = if shown.grows || !answers.are_whole() {
            self.interval()
        } else {
            self.shortest()
        };
        let until = |length| now.checked_add(length).unwrap_or(now);
        let drawn = Drawn {
            charts: Arc::clone(&charts),
            good_until: until(good_for),
            kept_until: until(self.shortest()),
        };
        *slot.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(drawn);
        Ok(charts)
    }
}

fn drawn(rollout: &Rollout, answers: &Answers, shown: Range, now: Timestamp) -> Vec<ChartView> {
    let until = answers.trusted_until(now).min(shown.to);
    let markers: Vec<ChartMarker> = rollout
        .batches
        .iter()
        .filter_map(|batch| {
            Some(ChartMarker {
                at: batch.started_at?,
                label: format!("Batch {}", batch.number),
            })
        })
        .collect();
    let chart = |dimension: Dimension, unit: &str, lines: Result<Vec<ChartLine>, ProviderFault>| {
        let (lines, missing) = match lines {
            Ok(lines) if lines.iter().any(|line| !line.points.is_empty()) => (lines, String::new()),
            Ok(_) => (
                Vec::new(),
                "Telemetry has no points for this time.".to_owned(),
            ),
            Err(fault) => (Vec::new(), format!("Telemetry did not answer: {fault}.")),
        };
        ChartView {
            dimension,
            unit: unit.to_owned(),
            lines,
            markers: markers.clone(),
            from: shown.from,
            to: until,
            missing,
        }
    };
    vec![
        chart(
            Dimension::ErrorRate,
            "%",
            error_lines(rollout, answers, until),
        ),
        chart(
            Dimension::Latency,
            "ms",
            latency_lines(rollout, answers, until),
        ),
    ]
}

const fn ended_at(state: &RolloutState) -> Option<Timestamp> {
    match state {
        RolloutState::Succeeded { at }
        | RolloutState::RolledBack { at, .. }
        | RolloutState::Recovered { at, .. }
        | RolloutState::Aborted { at, .. } => Some(*at),
        _ => None,
    }
}

/// Sums and counts of one query by batch and time.
type Pooled = BTreeMap<u32, BTreeMap<i64, (f64, u32)>>;

fn pooled(rollout: &Rollout, series: &[Series], until: Timestamp) -> Pooled {
    let batches = rollout.plan.batches.iter();
    let batch_of: HashMap<&str, u32> = batches
        .flat_map(|batch| {
            let hosts = batch.hosts.iter();
            hosts.map(move |host| (host.name.as_str(), batch.number))
        })
        .collect();
    let mut pooled = Pooled::new();
    for series in series {
        let host = series.tag("host").unwrap_or_default();
        let Some(batch) = batch_of.get(host) else {
            continue;
        };
        let times = pooled.entry(*batch).or_default();
        for point in series.points.iter().filter(|point| point.at <= until) {
            let (sum, count) = times.entry(point.at.as_millisecond()).or_default();
            *sum += point.value;
            *count += 1;
        }
    }
    pooled
}

fn by_batch(
    rollout: &Rollout,
    mut pooled: Pooled,
    value: impl Fn(u32, i64, f64, u32) -> Option<f64>,
) -> Vec<ChartLine> {
    let line = |number: u32| {
        let times = pooled.remove(&number).unwrap_or_default();
        let point = |(at, (sum, count))| (at, value(number, at, sum, count));
        ChartLine {
            name: format!("Batch {number}"),
            points: times.into_iter().map(point).collect(),
        }
    };
    let numbers = rollout.batches.iter().map(|batch| batch.number);
    numbers.map(line).collect()
}

fn latency_lines(
    rollout: &Rollout,
    answers: &Answers,
    until: Timestamp,
) -> Result<Vec<ChartLine>, ProviderFault> {
    let latency = answers.latency.as_ref().map_err(Clone::clone)?;
    let latency = pooled(rollout, latency, until);
    Ok(by_batch(rollout, latency, |_, _, sum, count| {
        Some(sum / f64::from(count))
    }))
}

fn error_lines(
    rollout: &Rollout,
    answers: &Answers,
    until: Timestamp,
) -> Result<Vec<ChartLine>, ProviderFault> {
    let requests = answers.requests.as_ref().map_err(Clone::clone)?;
    let errors = answers.errors.as_ref().map_err(Clone::clone)?;
    let requests = pooled(rollout, requests, until);
    let errors = pooled(rollout, errors, until);
    Ok(by_batch(rollout, requests, |batch, at, requests, _| {
        // Without requests there is no rate, which is a gap and not zero.
        let errors = errors.get(&batch).and_then(|times| times.get(&at));
        let failed = errors.map_or(0.0, |(sum, _)| *sum);
        (requests > 0.0).then(|| 100.0 * failed / requests)
    }))
}

#[cfg(test)]
mod tests;
