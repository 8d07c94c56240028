//! One rollout: where it stands, what may be pressed, what telemetry says, which host runs what.

use std::{ops::Deref, sync::Arc};

use domain::{budget::Beyond, host::HostPhase, id::RolloutId};
use leptos::task::spawn_local;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;
use ui::prelude::*;
use ui::{
    Alert, BatchTimeline, Crumb, Digest, EmptyState, Fact, Facts, HostGrid, Look, PageHeader,
    Section, StateBadge, TimeText, Tone, VerdictCard, clock,
};
use view::{
    error::ApiError,
    page::Page,
    rollout::{BatchView, HeldElsewhere, HostCell, RolloutRow, RolloutView, spread},
};

use super::actions::{Deciding, batch_actions, rollout_actions};
use crate::{
    audit::list::audit_rows,
    error::PageError,
    form,
    job::list::job_table,
    live::{LOST, use_events},
    load,
    rollout::api::{charts, host_cells, rollout},
    variable::section::{given, playbooks_fact, selection_facts},
};

/// What the page shows, read together.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
struct Whole {
    view: RolloutView,
    hosts: Page<HostCell>,
    /// Markup. It is on the page the server drew and need not travel a second time beside it.
    #[serde(skip)]
    charts: String,
}

async fn read_now(id: RolloutId) -> Result<(RolloutView, Page<HostCell>), PageError> {
    Ok((rollout(id).await?, host_cells(id, None, None).await?))
}

async fn whole(id: RolloutId) -> Result<Whole, PageError> {
    let (view, hosts) = read_now(id).await?;
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
    let read = load::read(id, async |id| match id.parse::<RolloutId>() {
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
    let shown = RwSignal::new(Arc::new(first));
    let lost = RwSignal::new(false);
    // What is shown stays when the server does not answer.
    let read_again = move || {
        spawn_local(async move {
            if let Ok((view, hosts)) = read_now(id).await {
                shown.update(|shown| {
                    let shown = Arc::make_mut(shown);
                    // An answer that was overtaken by a later one says nothing new.
                    if view.now >= shown.view.now {
                        shown.view = view;
                        shown.hosts = hosts;
                    }
                });
            }
        });
    };
    let read_charts = move || {
        spawn_local(async move {
            if let Ok(charts) = charts(id).await {
                shown.update(|shown| Arc::make_mut(shown).charts = charts);
            }
        });
    };
    use_events(
        move || format!("/stream/rollouts/{id}"),
        &["changed", "measured"],
        move |name, _| {
            lost.set(name == LOST);
            match name {
                LOST => {}
                "measured" => read_charts(),
                _ => read_again(),
            }
        },
    );
    let part = move |same| {
        Memo::new(move |_| Part {
            whole: shown.get(),
            same,
        })
    };
    let state = part(|a, b| standing(&a.view.row) == standing(&b.view.row));
    let sentence = part(|a, b| a.view.sentence == b.view.sentence);
    let actions = part(|a, b| {
        a.view.actions == b.view.actions
            && a.view.stuck == b.view.stuck
            && a.view.held == b.view.held
            && a.view.decision_version == b.view.decision_version
            && a.view.digest == b.view.digest
    });
    let batches = part(|a, b| a.view.batches == b.view.batches);
    let decisions = part(|a, b| {
        a.view.decision_version == b.view.decision_version && deciding(a) == deciding(b)
    });
    let hosts = part(|a, b| a.hosts == b.hosts && counts(a) == counts(b));
    let verdicts = part(|a, b| {
        let verdict = |batch: &BatchView| batch.verdict.clone();
        a.view
            .batches
            .iter()
            .map(verdict)
            .eq(b.view.batches.iter().map(verdict))
    });
    let charts = part(|a, b| a.charts == b.charts);
    let jobs = part(|a, b| a.view.jobs == b.view.jobs);
    let events = part(|a, b| a.view.events == b.view.events);
    let request = part(|a, b| {
        a.view.decided == b.view.decided
            && a.view.decided_at == b.view.decided_at
            && before(a) == before(b)
    });
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
    let undone = shown.with_untracked(|shown| undone_here(&shown.view));
    let plan = shown.with_untracked(|shown| plan_facts(shown.view.clone()));
    // The clock is set again whenever the server was heard; in between the browser carries it on.
    let now = Signal::derive(move || shown.with(|shown| shown.view.now));
    let ticking = Memo::new(move |_| clock::ticking(now.get()));
    let time = Signal::derive(move || ticking.get().get());
    let running = move || matches!(state.get().view.row.state.as_str(), "running" | "paused");
    view! {
        <Title text=title.clone() />
        <PageHeader title=title crumbs badge=move || view! { <StateBadge look=standing(&state.get().view.row) /> } sub=move || view! { <span aria-live="polite">{move || sentence.get().view.sentence.clone()}</span> } />
        {move || lost.get().then(|| view! { <Alert tone=Tone::Warn title="This page does not move any more">"The server refuses to tell what changes: your session may have ended. Reload the page to see where the rollout stands."</Alert> })}
        {undone}
        {move || actions.get().view.held.clone().map(held_elsewhere)}
        {move || { let view = &actions.get().view; rollout_actions(id, view.decision_version, view.digest.clone(), view.stuck.join(" "), view.actions.clone()) }}
        {move || { let whole = decisions.get(); batch_actions(id, whole.view.decision_version, deciding(&whole), Some(format!("/rollouts/{id}/trouble"))) }}
        <Section title="Batches" id="batches">
            {move || view! { <BatchTimeline batches=batches.get().view.batches.clone() now=time live=running() /> }}
        </Section>
        <div class="columns">
            <Section title="Hosts" id="hosts">
                {move || { let whole = hosts.get(); view! {
                    <HostGrid hosts=whole.hosts.items.clone() counts=counts(&whole) />
                    {counts(&whole).iter().any(|(phase, _)| phase.troubled()).then(|| view! { <p><a href=format!("/rollouts/{id}/trouble")>"What was last seen of the hosts that need you"</a></p> })}
                    {whole.hosts.next.is_some().then(|| view! { <p class="muted">"The first hosts are shown; the counts are of all."</p> })}
                } }}
            </Section>
            <Section title="Change request" id="request">
                {move || { let whole = request.get(); let RolloutView { row, reason, decided, decided_at, .. } = whole.view.clone(); view! {
                    <Facts>
                        <Fact name="Change">{before(&whole)} " → " <strong>{row.version}</strong></Fact>
                        <Fact name="Reason">{reason}</Fact>
                        <Fact name="Requested">{row.requested_by} " · " <TimeText at=row.created_at /></Fact>
                        {decided.map(|decided| view! { <Fact name="Decision">{decided} {decided_at.map(|at| view! { " · " <TimeText at /> })}</Fact> })}
                    </Facts>
                } }}
                {plan}
            </Section>
        </div>
        <Section title="Judgement" id="judgement">
            {move || {
                let verdicts: Vec<_> = verdicts.get().view.batches.iter().rev().filter_map(|batch| Some((batch.number, batch.verdict.clone()?))).collect();
                if verdicts.is_empty() {
                    return view! { <EmptyState title="Nothing judged yet">"A batch is judged against its own baseline while it bakes."</EmptyState> }.into_any();
                }
                verdicts.into_iter().map(|(number, verdict)| view! { <VerdictCard verdict title=format!("Batch {number}") /> }).collect_view().into_any()
            }}
            <div class="charts" inner_html=move || charts.get().charts.clone()></div>
        </Section>
        <Section title="Jobs" id="jobs" flush=true>
            {move || {
                let jobs = jobs.get().view.jobs.clone();
                if jobs.is_empty() {
                    view! { <EmptyState title="No job yet">"Releasing the rollout queues the first one."</EmptyState> }.into_any()
                } else {
                    job_table(jobs).into_any()
                }
            }}
        </Section>
        <Section title="What happened" id="events" flush=true>
            {move || audit_rows(events.get().view.events.clone(), true)}
            <p class="section-more"><a href=format!("/audit?kind=rollout&id={id}")>"Everything in the audit trail"</a></p>
        </Section>
    }
}

/// Why the rollout cannot be released yet. It may be tried all the same: the other one may have ended meanwhile.
fn held_elsewhere(held: HeldElsewhere) -> impl IntoView {
    let HeldElsewhere {
        host,
        rollout,
        name,
    } = held;
    view! {
        <Alert tone=Tone::Waiting title="Another rollout holds a host of this one">
            <p>{host}" is held by "<a href=format!("/rollouts/{rollout}")>{name}</a>". Until that rollout has ended or was rolled back, this one cannot be released. Reload the page to see whether it can."</p>
        </Alert>
    }
}

/// What became of a decision that came too late: its form is no longer there to say so itself.
fn undone_here(view: &RolloutView) -> Option<AnyView> {
    form::undone(|form| offered(view, form))
}

/// Whether the page shows the form of this id.
fn offered(view: &RolloutView, form: &str) -> bool {
    let actions = &view.actions;
    let (kind, number) = form.rsplit_once('-').unwrap_or((form, ""));
    let batch = view
        .batches
        .iter()
        .find(|batch| batch.number.to_string() == number);
    let allowance = match (kind, batch) {
        ("approve", _) => &actions.approve,
        ("reject", _) => &actions.reject,
        ("dry_run", _) => &actions.dry_run,
        ("withdraw", _) => &actions.withdraw,
        ("release", _) => &actions.release,
        ("pause", _) => &actions.pause,
        ("resume", _) => &actions.resume,
        ("exclude", _) => &actions.exclude,
        ("abort", _) => &actions.abort,
        ("roll_back", _) => &actions.roll_back,
        ("recover", _) => &actions.recover,
        ("go" | "no_go", Some(batch)) => &batch.actions.decide,
        ("retry", Some(batch)) => &batch.actions.retry,
        ("ask", Some(batch)) => &batch.actions.ask,
        ("extend", Some(batch)) => &batch.actions.extend,
        _ => return false,
    };
    allowance.offered()
}

/// What a part of the page shows, which stays as it is while `same` holds. One type for all parts: a memo of each part's
/// own type would be compiled, and loaded, once for each.
#[derive(Clone)]
struct Part {
    whole: Arc<Whole>,
    same: fn(&Whole, &Whole) -> bool,
}

impl PartialEq for Part {
    fn eq(&self, other: &Self) -> bool {
        (self.same)(&self.whole, &other.whole)
    }
}

impl Deref for Part {
    type Target = Whole;

    fn deref(&self) -> &Whole {
        &self.whole
    }
}

fn standing(row: &RolloutRow) -> Look {
    Look::standing(&row.state, &row.batches)
}

/// What batches need to draw their decisions.
fn deciding(whole: &Whole) -> Vec<Deciding> {
    let batch = |batch: &BatchView| {
        (
            batch.number,
            batch.state.clone(),
            batch.message.clone(),
            batch.actions.clone(),
        )
    };
    whole.view.batches.iter().map(batch).collect()
}

/// What the hosts ran before.
fn before(whole: &Whole) -> String {
    let hosts = whole.hosts.items.iter();
    let before = spread(hosts.map(|host| host.version_before.as_deref()));
    if before.is_empty() {
        "not known yet".to_owned()
    } else {
        before
    }
}

/// The counts of all batches added up.
fn counts(whole: &Whole) -> Vec<(HostPhase, u32)> {
    let counts = || whole.view.batches.iter().flat_map(|batch| &batch.counts);
    let sum = |phase| {
        counts()
            .filter(|(of, _)| *of == phase)
            .map(|(_, n)| n)
            .sum()
    };
    let sums = HostPhase::ALL.iter().map(|phase| (*phase, sum(*phase)));
    sums.filter(|(_, sum)| *sum > 0).collect()
}

fn plan_facts(view: RolloutView) -> impl IntoView {
    let commit = view
        .commit
        .map(|commit| view! { <Fact name="Commit"><Digest value=commit /></Fact> });
    let failures = format!(
        "{} in each batch, beyond that {}",
        view.failures.limit,
        match view.failures.beyond {
            Beyond::Hold => "it is held",
            Beyond::RollBack => "the rollout is rolled back",
        }
    );
    let artifact = match view.artifact.is_empty() {
        true => view! { <Fact name="Artefact">"none; the playbooks bring it"</Fact> }.into_any(),
        false => view! {
            <Fact name="Artefact"><code>{view.artifact}</code></Fact>
            <Fact name="SHA-256"><Digest value=view.sha256 /></Fact>
        }
        .into_any(),
    };
    let allowed = format!(
        "latency +{} %, errors +{} points",
        view.tolerance.latency_percent,
        f64::from(view.tolerance.error_basis_points) / 100.0
    );
    view! {
        <Facts>
            <Fact name="Plan"><Digest value=view.digest /></Fact>
            {artifact}
            {commit}
            {playbooks_fact(view.playbooks)}
            {selection_facts(view.selection)}
            <Fact name="Batches">{view.split}</Fact>
            <Fact name="Gate">{view.gate.word()}</Fact>
            <Fact name="Allowed">{allowed}</Fact>
            <Fact name="Failures">{failures}</Fact>
        </Facts>
        {given(view.variables)}
    }
}
