//! One rollout: where it stands, what may be pressed, what telemetry says, which host runs what.

use domain::id::RolloutId;
use leptos::{prelude::*, task::spawn_local};
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;
use ui::{
    BatchTimeline, Crumb, Digest, EmptyState, Fact, Facts, HostGrid, Look, MetricChart, PageHeader,
    Section, StateBadge, TimeText, VerdictCard, clock,
};
use view::{
    error::ApiError,
    page::Page,
    rollout::{ChartView, HostCell, RolloutView},
};

use super::actions::{batch_actions, rollout_actions};
use crate::{
    audit::list::audit_rows,
    error::PageError,
    job::list::job_table,
    live::use_changes,
    load,
    rollout::api::{charts, host_cells, rollout},
};

/// What the page shows, read together.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
struct Whole {
    view: RolloutView,
    hosts: Page<HostCell>,
    charts: Vec<ChartView>,
}

async fn whole(id: RolloutId) -> Result<Whole, PageError> {
    let view = rollout(id).await?;
    let hosts = host_cells(id, None, None).await?;
    // Telemetry that does not answer must not hide the rollout; the chart says itself what is missing.
    let charts = charts(id).await.unwrap_or_default();
    Ok(Whole {
        view,
        hosts,
        charts,
    })
}

/// One rollout, which moves by itself.
#[component]
pub fn RolloutPage() -> impl IntoView {
    let id = move || use_params_map().with(|params| params.get("id").unwrap_or_default());
    let read = Resource::new(id, async |id| match id.parse::<RolloutId>() {
        Ok(id) => whole(id).await,
        Err(error) => Err(PageError(ApiError::NotFound {
            message: error.to_string(),
        })),
    });
    load::draw(read, "the rollout", |first| view! { <Live first /> })
}

/// Draws what was read first, then whatever the server says has changed. Each part is drawn again only when what it
/// shows changed, so that a reason that is being typed is not lost.
#[component]
fn Live(first: Whole) -> impl IntoView {
    let id = first.view.row.id;
    let shown = RwSignal::new(first);
    let changes = use_changes(move || format!("/stream/rollouts/{id}"));
    Effect::new(move |before: Option<u32>| {
        let change = changes.get();
        if before.is_some_and(|before| before != change) {
            spawn_local(async move {
                // What is shown stays when the server does not answer; the stream connects again by itself.
                if let Ok(newest) = whole(id).await {
                    shown.set(newest);
                }
            });
        }
        change
    });
    let part = move |pick: fn(&RolloutView) -> String| {
        Memo::new(move |_| shown.with(|shown| pick(&shown.view)))
    };
    let state = part(|view| view.row.state.clone());
    let sentence = part(|view| view.sentence.clone());
    let title = shown.with_untracked(|shown| {
        format!(
            "{} {} to {}",
            shown.view.service_name, shown.view.row.version, shown.view.environment_name
        )
    });
    let crumbs = vec![
        Crumb::link("Rollouts", "/rollouts"),
        Crumb::here(title.clone()),
    ];
    let actions = Memo::new(move |_| {
        shown.with(|shown| {
            (
                shown.view.actions.clone(),
                shown.view.decision_version,
                shown.view.digest.clone(),
            )
        })
    });
    let batches = Memo::new(move |_| shown.with(|shown| shown.view.batches.clone()));
    let decisions = Memo::new(move |_| {
        shown.with(|shown| {
            let batches = shown.view.batches.iter().map(|batch| {
                (
                    batch.number,
                    batch.state.clone(),
                    batch.message.clone(),
                    batch.decide.clone(),
                    batch.retry.clone(),
                    batch.extend.clone(),
                )
            });
            (shown.view.decision_version, batches.collect::<Vec<_>>())
        })
    });
    let verdicts = Memo::new(move |_| {
        shown.with(|shown| {
            shown
                .view
                .batches
                .iter()
                .rev()
                .filter_map(|batch| Some((batch.number, batch.verdict.clone()?)))
                .collect::<Vec<_>>()
        })
    });
    let hosts = Memo::new(move |_| shown.with(|shown| shown.hosts.items.clone()));
    let counts = Memo::new(move |_| {
        shown.with(|shown| {
            shown
                .view
                .batches
                .iter()
                .flat_map(|batch| batch.counts.clone())
                .collect::<Vec<_>>()
        })
    });
    let charts = Memo::new(move |_| shown.with(|shown| shown.charts.clone()));
    let jobs = Memo::new(move |_| shown.with(|shown| shown.view.jobs.clone()));
    let events = Memo::new(move |_| shown.with(|shown| shown.view.events.clone()));
    let plan = shown.with_untracked(|shown| plan_facts(shown.view.clone()));
    let request = Memo::new(move |_| {
        shown.with(|shown| {
            (
                shown.view.reason.clone(),
                shown.view.row.requested_by.clone(),
                shown.view.row.created_at,
                shown.view.decided.clone(),
            )
        })
    });
    // The clock is set again whenever the server was heard; in between the browser carries it on.
    let now = Signal::derive(move || shown.with(|shown| shown.view.now));
    let ticking = Memo::new(move |_| clock::ticking(now.get()));
    let time = Signal::derive(move || ticking.get().get());
    let running = move || matches!(state.get().as_str(), "running" | "paused");
    view! {
        <Title text=title.clone() />
        <PageHeader title=title crumbs badge=move || view! { <StateBadge look=Look::rollout(&state.get()) /> } sub=move || view! { <span aria-live="polite">{sentence}</span> } />
        {move || { let (actions, version, digest) = actions.get(); rollout_actions(id, version, digest, actions) }}
        {move || { let (version, batches) = decisions.get(); batch_actions(id, version, batches) }}
        <Section title="Batches" id="batches">
            {move || view! { <BatchTimeline batches=batches.get() now=time live=running() /> }}
        </Section>
        <div class="columns">
            <Section title="Hosts" id="hosts">
                {move || view! { <HostGrid hosts=hosts.get() counts=sum(counts.get()) /> }}
                {move || shown.with(|shown| shown.hosts.next.is_some()).then(|| view! { <p class="muted">"The first hosts are shown; the counts are of all."</p> })}
            </Section>
            <Section title="Change request" id="request">
                {move || { let (reason, by, at, decided) = request.get(); view! {
                    <Facts>
                        <Fact name="Reason">{reason}</Fact>
                        <Fact name="Requested">{by} ", " <TimeText at /></Fact>
                        {decided.map(|decided| view! { <Fact name="Decision">{decided}</Fact> })}
                    </Facts>
                } }}
                {plan}
            </Section>
        </div>
        <Section title="Judgement" id="judgement">
            {move || {
                let verdicts = verdicts.get();
                if verdicts.is_empty() {
                    return view! { <EmptyState title="Nothing judged yet">"A batch is judged against its own baseline while it bakes."</EmptyState> }.into_any();
                }
                verdicts.into_iter().map(|(number, verdict)| view! { <VerdictCard verdict title=format!("Batch {number}") /> }).collect_view().into_any()
            }}
            <div class="charts">
                {move || charts.get().into_iter().map(|chart| { let id = format!("chart-{}", chart.dimension); view! { <MetricChart chart id /> } }).collect_view()}
            </div>
        </Section>
        <Section title="Jobs" id="jobs" flush=true>
            {move || {
                let jobs = jobs.get();
                if jobs.is_empty() {
                    view! { <EmptyState title="No job yet">"Releasing the rollout queues the first one."</EmptyState> }.into_any()
                } else {
                    job_table(jobs).into_any()
                }
            }}
        </Section>
        <Section title="What happened" id="events" flush=true>
            {move || audit_rows(events.get())}
            <p class="section-more"><a href=format!("/audit?kind=rollout&id={id}")>"Everything in the audit trail"</a></p>
        </Section>
    }
}

/// Adds up counts of several batches.
fn sum(counts: Vec<(domain::host::HostPhase, u32)>) -> Vec<(domain::host::HostPhase, u32)> {
    let mut sums = std::collections::BTreeMap::new();
    for (phase, count) in counts {
        *sums.entry(phase).or_insert(0) += count;
    }
    sums.into_iter().collect()
}

fn plan_facts(view: RolloutView) -> impl IntoView {
    let commit = view
        .commit
        .map(|commit| view! { <Fact name="Commit"><Digest value=commit /></Fact> });
    let allowed = format!(
        "latency +{} %, errors +{} points",
        view.tolerance.latency_percent,
        f64::from(view.tolerance.error_basis_points) / 100.0
    );
    view! {
        <Facts>
            <Fact name="Plan"><Digest value=view.digest /></Fact>
            <Fact name="Artefact"><code>{view.artifact}</code></Fact>
            <Fact name="SHA-256"><Digest value=view.sha256 /></Fact>
            {commit}
            <Fact name="Batches">{view.split}</Fact>
            <Fact name="Gate">{view.gate.word()}</Fact>
            <Fact name="Allowed">{allowed}</Fact>
        </Facts>
    }
}
