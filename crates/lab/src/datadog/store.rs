//! Points by metric and tags.

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How long points are kept, in seconds.
pub const RETENTION_S: i64 = 2 * 60 * 60;
const PRUNE_EVERY_S: i64 = 60;

/// What a metric's points are; counts and rates add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Gauge,
    Count,
    Rate,
}

/// The sorted tags of a series, `host:<name>` among them.
pub type Tags = BTreeSet<String>;

/// One series: points in seconds since 1970.
pub struct Series {
    pub kind: Kind,
    pub points: BTreeMap<i64, f64>,
}

/// All series.
#[derive(Default)]
pub struct Store {
    metrics: HashMap<String, HashMap<Tags, Series>>,
    pruned_at: i64,
}

impl Store {
    /// Adds points; one at a time that is there already takes its place, as in Datadog.
    pub fn add(
        &mut self,
        now: i64,
        metric: String,
        tags: Tags,
        kind: Kind,
        points: impl IntoIterator<Item = (i64, f64)>,
    ) {
        let series = self
            .metrics
            .entry(metric)
            .or_default()
            .entry(tags)
            .or_insert_with(|| Series {
                kind,
                points: BTreeMap::new(),
            });
        series.kind = kind;
        let kept = now - RETENTION_S..;
        series
            .points
            .extend(points.into_iter().filter(|(at, _)| kept.contains(at)));
        if now - self.pruned_at >= PRUNE_EVERY_S {
            self.pruned_at = now;
            self.prune(now - RETENTION_S);
        }
    }

    fn prune(&mut self, oldest: i64) {
        for series in self.metrics.values_mut() {
            series.retain(|_, one| {
                one.points = one.points.split_off(&oldest);
                !one.points.is_empty()
            });
        }
        self.metrics.retain(|_, series| !series.is_empty());
    }

    /// The series of a metric.
    pub fn series(&self, metric: &str) -> impl Iterator<Item = (&Tags, &Series)> {
        self.metrics.get(metric).into_iter().flatten()
    }

    /// Every series with its metric.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Tags, &Series)> {
        self.metrics.iter().flat_map(|(metric, series)| {
            series
                .iter()
                .map(move |(tags, one)| (metric.as_str(), tags, one))
        })
    }
}

/// The value of the tag `key:value`.
pub fn tag<'a>(tags: &'a Tags, key: &str) -> Option<&'a str> {
    tags.iter()
        .find_map(|tag| tag.strip_prefix(key)?.strip_prefix(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_points_and_then_their_series_are_forgotten() {
        let mut store = Store::default();
        let tags = Tags::from(["host:web-1".to_owned()]);
        store.add(
            10_000,
            "load".to_owned(),
            tags.clone(),
            Kind::Gauge,
            [(10_000, 1.0), (1, 1.0)],
        );
        assert_eq!(
            store
                .series("load")
                .map(|(_, one)| one.points.len())
                .sum::<usize>(),
            1
        );
        store.add(
            10_000 + RETENTION_S + 1,
            "other".to_owned(),
            tags,
            Kind::Gauge,
            [(17_300, 1.0)],
        );
        assert_eq!(store.series("load").count(), 0);
    }

    #[test]
    fn a_point_at_the_same_second_replaces() {
        let mut store = Store::default();
        store.add(5, "hits".to_owned(), Tags::new(), Kind::Count, [(5, 20.0)]);
        store.add(6, "hits".to_owned(), Tags::new(), Kind::Count, [(5, 41.0)]);
        let values: Vec<f64> = store
            .series("hits")
            .flat_map(|(_, one)| one.points.values().copied())
            .collect();
        assert_eq!(values, [41.0]);
    }
}
