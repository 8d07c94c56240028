//! From the read models to what the API sends.

use std::collections::BTreeMap;

use super::shape::{
    Batch, BatchState, Cancelled, Explanation, HeldRole, Host, HostDiff, InventoryDiff,
    InventoryHost, Items, Job, Line, Log, Measurement, Rollout, RolloutDetail, Service,
    ServiceDetail, ValueDiff, Verdict,
};

impl<T> Items<T> {
    pub fn of<R>(page: view::page::Page<R>) -> Self
    where
        T: From<R>,
    {
        Self {
            items: page.items.into_iter().map(T::from).collect(),
            next: page.next,
        }
    }
}

impl From<view::rollout::HostCell> for Host {
    fn from(cell: view::rollout::HostCell) -> Self {
        Self {
            name: cell.name,
            batch: cell.batch,
            phase: cell.phase.word().to_owned(),
            version_before: cell.version_before,
            version_observed: cell.version_observed,
            message: cell.message,
        }
    }
}

impl From<view::service::ServiceRow> for Service {
    fn from(row: view::service::ServiceRow) -> Self {
        let mut runs: BTreeMap<String, BTreeMap<String, u32>> = BTreeMap::new();
        for on in row.runs {
            let environment = runs.entry(on.environment).or_default();
            environment.insert(on.version, on.hosts);
        }
        Self {
            id: row.id.0,
            slug: row.slug,
            name: row.name,
            team: row.team,
            description: row.description,
            runs,
        }
    }
}

impl From<view::service::ServiceView> for ServiceDetail {
    fn from(view: view::service::ServiceView) -> Self {
        Self {
            service: view.service.into(),
            repository: view.repository,
            rollouts: view.rollouts.into_iter().map(Rollout::from).collect(),
        }
    }
}

impl From<view::access::Explanation> for Explanation {
    fn from(told: view::access::Explanation) -> Self {
        let roles = told.roles.into_iter();
        Self {
            person: told.person,
            action: told.action,
            about: told.about,
            allowed: told.allowed,
            why: told.why,
            roles: roles
                .map(|held| HeldRole {
                    role: held.role,
                    reaches: held.reaches,
                })
                .collect(),
            givers: told.givers,
        }
    }
}

impl From<view::rollout::RolloutRow> for Rollout {
    fn from(row: view::rollout::RolloutRow) -> Self {
        Self {
            waits_for_person: row.waits_for_person(),
            id: row.id.0,
            service: row.service,
            environment: row.environment,
            version: row.version,
            state: row.state,
            requested_by: row.requested_by,
            created_at: row.created_at,
            batches: row
                .batches
                .into_iter()
                .map(|dot| BatchState {
                    number: dot.number,
                    state: dot.state,
                    hosts: dot.hosts,
                })
                .collect(),
        }
    }
}

impl From<view::rollout::RolloutView> for RolloutDetail {
    fn from(view: view::rollout::RolloutView) -> Self {
        Self {
            rollout: view.row.into(),
            sentence: view.sentence,
            reason: view.reason,
            digest: view.digest,
            artifact: view.artifact,
            sha256: view.sha256,
            commit: view.commit,
            change_request: view.change_request,
            decided: view.decided,
            released_at: view.released_at,
            batches: view.batches.into_iter().map(Batch::from).collect(),
            jobs: view.jobs.into_iter().map(Job::from).collect(),
        }
    }
}

impl From<view::rollout::BatchView> for Batch {
    fn from(batch: view::rollout::BatchView) -> Self {
        Self {
            number: batch.number,
            state: batch.state,
            message: batch.message,
            hosts: batch.host_count,
            phases: batch
                .counts
                .into_iter()
                .map(|(phase, count)| (phase.to_string(), count))
                .collect(),
            bake_seconds: batch.bake_seconds,
            started_at: batch.started_at,
            verified_at: batch.verified_at,
            ended_at: batch.ended_at,
            retry_at: batch.retry_at,
            verdict: batch.verdict.map(Verdict::from),
        }
    }
}

impl From<view::environment::HostRow> for InventoryHost {
    fn from(row: view::environment::HostRow) -> Self {
        Self {
            name: row.name,
            identity: row.identity,
            address: row.address,
            criticality: row.criticality.to_string(),
            failure_domain: row.failure_domain,
            groups: row.groups,
            variables: row.variables,
            runs: row.runs.into_iter().collect(),
        }
    }
}

impl From<view::environment::InventoryDiff> for InventoryDiff {
    fn from(diff: view::environment::InventoryDiff) -> Self {
        let value = |(name, change): (String, domain::inventory::ValueChange)| {
            let (before, after) = change.values.map(|[before, after]| (before, after)).unzip();
            ValueDiff {
                name,
                change: change.turn.to_string(),
                before,
                after,
            }
        };
        let change = |change: view::environment::HostDiff| HostDiff {
            name: change.name,
            renamed_from: change.renamed_from,
            groups_joined: change.joined,
            groups_left: change.left,
            values: change.what.into_iter().map(value).collect(),
        };
        Self {
            added: diff.added,
            changed: diff.changed.into_iter().map(change).collect(),
            gone: diff.gone,
            absent: diff.absent.to_string(),
            unchanged: diff.unchanged,
        }
    }
}

impl From<domain::verdict::Verdict> for Verdict {
    fn from(verdict: domain::verdict::Verdict) -> Self {
        let measurement = |one: domain::verdict::Measurement| Measurement {
            dimension: one.dimension.to_string(),
            outcome: one.outcome.to_string(),
            unit: one.unit,
            baseline: one.baseline,
            measured: one.measured,
            limit: one.limit,
            explanation: one.explanation,
        };
        Self {
            outcome: verdict.outcome.to_string(),
            at: verdict.at,
            measurements: verdict.measurements.into_iter().map(measurement).collect(),
        }
    }
}

impl From<view::job::JobRow> for Job {
    fn from(row: view::job::JobRow) -> Self {
        Self {
            id: row.id.0,
            rollout: row.rollout.0,
            service: row.service,
            environment: row.environment,
            version: row.version,
            kind: row.kind.to_string(),
            batch: row.batch,
            state: row.state.to_string(),
            queued_at: row.queued_at,
            started_at: row.started_at,
            ended_at: row.ended_at,
            message: row.message,
            cancelled: row.cancelled.map(|cancelled| Cancelled {
                by: cancelled.by,
                reason: cancelled.reason,
                at: cancelled.at,
            }),
        }
    }
}

impl From<view::job::LogPage> for Log {
    fn from(page: view::job::LogPage) -> Self {
        let lines = page
            .lines
            .into_iter()
            .map(|line| Line {
                number: line.number,
                text: line.text,
            })
            .collect();
        Self {
            job: page.job.0,
            lines,
            next: page.next,
            ended: page.ended,
        }
    }
}
