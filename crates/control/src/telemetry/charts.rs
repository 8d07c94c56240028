//! Error rate and latency of a rollout's batches over time, as a page shows them.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use domain::{
    Timestamp,
    id::RolloutId,
    rollout::{Rollout, RolloutState},
    verdict::Dimension,
};
use integrations::datadog::Series;
use judge::ProviderFault;
use policy::system_scope;
use tokio::time::timeout;
use view::{
    error::ApiError,
    rollout::{ChartLine, ChartMarker, ChartView},
};

use super::{Answers, before};
use crate::{Console, Ctx, Error};

/// How long a page waits for its charts: whoever wants to stop a rollout must not wait for Datadog.
const PAGE_PATIENCE: Duration = Duration::from_secs(2);

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
        // By a clock that was set back, the rollout was released in time to come: there is nothing to show yet.
        let from = Some(before(released?, lead)).filter(|from| *from < now)?;
        Some(Range {
            from,
            to: last.unwrap_or(now).min(now),
            grows: last.is_none_or(|last| now <= last),
        })
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
        // As they are judged: without hosts that were taken out.
        let left_out = self.store().left_out(&system_scope(), rollout.id).await?;
        let answers = answers.without(&left_out);
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
