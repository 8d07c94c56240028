//! Requesting a rollout, with a preview of its batches and its digest.

use domain::{
    budget::Beyond,
    strategy::{GateRule, spell_seconds},
};
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use ui::prelude::*;
use ui::{
    Alert, Button, ButtonTone, Choice, Choices, Crumb, Digest, ErrorPanel, Fact, Facts,
    FormActions, Look, PageHeader, Section, Select, StateBadge, Tag, TextArea, TextField, Tone,
};
use view::{
    access::Returned,
    error::ApiError,
    input::RolloutInput,
    rollout::{PlanPreview, PreviewBatch, RolloutForm, RolloutRow},
};

use crate::{
    error::PageError,
    form::{Typed, typed},
    frame::Framing,
    load,
    rollout::api::{preview, rollout_form},
    variable::section::{given, playbooks_fact, selection_facts},
};

const FIELDS: &[&str] = &[
    "service",
    "environment",
    "version",
    "artifact",
    "sha256",
    "commit",
    "split",
    "bake",
    "gate",
    "gate_wait",
    "latency_tolerance",
    "error_tolerance",
    "failures",
    "beyond",
    "limit",
    "tags",
    "skip_tags",
    "reason",
];

/// The form for a new rollout. “Preview” comes back here with everything typed.
#[component]
pub fn NewRolloutPage() -> impl IntoView {
    let framing = use_context::<Framing>();
    let service = move || use_query_map().with(|query| query.get("service"));
    let read = load::read(
        || (),
        move |()| async move {
            let form = rollout_form().await?;
            let previewed =
                Framing::looked(framing, "request", async |form| preview(input(&form)).await).await;
            Ok::<_, PageError>((form, previewed))
        },
    );
    view! {
        <Title text="New rollout" />
        {load::draw(read, "the form", move |(form, previewed)| form_view(form, previewed, service()))}
    }
}

fn input(form: &Returned) -> RolloutInput {
    let value = |field| form.value(field);
    RolloutInput {
        service: value("service"),
        environment: value("environment"),
        version: value("version"),
        artifact: value("artifact"),
        sha256: value("sha256"),
        commit: value("commit"),
        split: value("split"),
        bake: value("bake"),
        gate: value("gate"),
        gate_wait: value("gate_wait"),
        latency_tolerance: value("latency_tolerance"),
        error_tolerance: value("error_tolerance"),
        failures: value("failures"),
        beyond: value("beyond"),
        limit: value("limit"),
        tags: value("tags"),
        skip_tags: value("skip_tags"),
        reason: value("reason"),
        idempotency_key: String::new(),
    }
}

fn form_view(
    form: RolloutForm,
    previewed: Option<Result<PlanPreview, ApiError>>,
    service: Option<String>,
) -> impl IntoView {
    let RolloutForm {
        services,
        environments,
        artifacts,
        may_request,
        idempotency_key,
    } = form;
    let (plan, preview_error) = match previewed {
        Some(Ok(plan)) => (Some(plan), None),
        Some(Err(error)) => (None, Some(error)),
        None => (None, None),
    };
    let typed = StoredValue::new(typed("request").with_error(preview_error));
    let (previewed, stale) = (plan.is_some(), RwSignal::new(false));
    let value =
        move |field: &str, default: &str| typed.with_value(|typed| typed.value(field, default));
    let error = move |field: &str| typed.with_value(|typed| typed.field_error(field));
    let other = typed
        .with_value(|typed| typed.other_error(FIELDS))
        .map(|error| view! { <ErrorPanel error /> });
    let service = service
        .or_else(|| (services.len() == 1).then(|| services[0].0.clone()))
        .unwrap_or_default();
    let environment = if environments.len() == 1 {
        environments[0].0.clone()
    } else {
        String::new()
    };
    let choices = |pairs: Vec<(String, String)>| {
        pairs
            .into_iter()
            .map(|(slug, name)| Choice::new(slug, name, ""))
            .collect::<Vec<_>>()
    };
    let (services, environments) = (choices(services), choices(environments));
    let refused = may_request.why().map(str::to_owned).map(
        |why| view! { <Alert tone=Tone::Warn title="You cannot request a rollout">{why}</Alert> },
    );
    view! {
        <PageHeader title="New rollout" crumbs=vec![Crumb::link("Rollouts", "/rollouts"), Crumb::here("New")] sub=|| "Nothing is touched before the plan is approved and an operator releases it." />
        {refused}
        <div class="form-aside">
        <aside>
        {move || stale.get().then(|| view! { <Alert tone=Tone::Warn title="The form has changed since">"Preview it again to see its plan."</Alert> })}
        {match plan {
            Some(plan) => plan_view(plan, value("artifact", "")).into_any(),
            None => view! { <p class="aside-hint">"Preview shows here which hosts each batch takes, and the digest of the plan that would be approved. Nothing is stored by looking."</p> }.into_any(),
        }}</aside>
        <form method="post" action="/api/rollout/request" id="request" class="form" on:input=move |_| stale.set(previewed)>
            {other}
            <input type="hidden" name="input[idempotency_key]" value=idempotency_key />
            <Section title="What goes out" id="what">
                {choose("service", "Service", services, service, typed)}
                {choose("environment", "Environment", environments, environment, typed)}
                {text("version", "Version", "", "As the service's health endpoint reports it, such as 1.4.2.", true, typed)}
                <TextField name="input[artifact]" id="artifact" label="Artefact" value=value("artifact", "") error=error("artifact") hint="Press the arrow key down for the newest files of the artefact folder, or give an https:// address. Playbooks that bring a version by themselves go without." offers=artifacts required=false mono=true />
                {text("sha256", "SHA-256", "", "May be left out for a file; hosts refuse an artefact with another one.", false, typed)}
                {text("commit", "Commit", "", "What the artefact was built from.", false, typed)}
            </Section>
            <Section title="How" id="how">
                {text("split", "Batches", "33/33/34%", "Shares “33/33/34%”, numbers “1/2/3 hosts”, or rules “criticality=low/domain=a/rest”. Non-critical hosts come first.", true, typed)}
                {text("bake", "Bake time", "48h/48h/72h", "How long each batch is watched: one for all, or one each.", true, typed)}
                <Choices
                    name="input[gate]"
                    label="Gate"
                    value=value("gate", GateRule::Automatic.word())
                    error=error("gate")
                    choices=vec![
                        Choice::new(GateRule::Automatic.word(), "Automatic", "A passing verdict promotes; anything else asks a person"),
                        Choice::new(GateRule::Manual.word(), "Manual", "A person decides each batch"),
                        Choice::new(GateRule::Both.word(), "Both", "A passing verdict and a person"),
                    ]
                />
                <details class="more" open=["failures", "beyond", "latency_tolerance", "error_tolerance", "gate_wait"].iter().any(|field| error(field).is_some())>
                    <summary>"Failures, tolerances and waiting"</summary>
                    {text("failures", "Hosts of a batch that may fail", "0", "A number or a share, such as 2 or 10%. Up to so many, hosts that cannot be reached are tried again by themselves, and a failed task asks a person.", false, typed)}
                    <Choices
                        name="input[beyond]"
                        label="When more fail"
                        value=value("beyond", Beyond::Hold.word())
                        error=error("beyond")
                        choices=vec![
                            Choice::new(Beyond::Hold.word(), "Hold", "The batch waits for a person"),
                            Choice::new(Beyond::RollBack.word(), "Roll back", "Every touched host, at once"),
                        ]
                    />
                    {text("latency_tolerance", "Latency may grow by, %", "5", "", false, typed)}
                    {text("error_tolerance", "Error rate may grow by, percentage points", "1", "", false, typed)}
                    {text("gate_wait", "A gate waits for", "24h", "Then the batch is held.", false, typed)}
                </details>
                <details class="more" open=["limit", "tags", "skip_tags"].iter().any(|field| error(field).is_some() || !value(field, "").is_empty())>
                    <summary>"Only some hosts or tasks"</summary>
                    {text("limit", "Only hosts", "", "Names of hosts and groups, with “!” before those to leave out, such as “web, !web-3”.", false, typed)}
                    {text("tags", "Only tasks with tags", "", "Of playbooks of a project; a roll back and a probe run whole.", false, typed)}
                    {text("skip_tags", "Without tasks with tags", "", "", false, typed)}
                </details>
            </Section>
            <Section title="Why" id="why">
                <TextArea name="input[reason]" id="reason" label="Reason" value=value("reason", "") error=error("reason") hint="Approvers and auditors read it." />
            </Section>
            <FormActions>
                <button type="submit" class=ButtonTone::Plain.class() formaction="/api/rollout/look" formnovalidate>"Preview"</button>
                <Button id="submit" tone=ButtonTone::Primary allowance=may_request>"Request"</Button>
            </FormActions>
        </form>
        </div>
    }
}

fn text(
    field: &'static str,
    label: &'static str,
    default: &str,
    hint: &'static str,
    required: bool,
    typed: StoredValue<Typed>,
) -> impl IntoView {
    let (value, error) =
        typed.with_value(|typed| (typed.value(field, default), typed.field_error(field)));
    let name = format!("input[{field}]");
    if hint.is_empty() {
        view! { <TextField name id=field label value error required mono=true /> }.into_any()
    } else {
        view! { <TextField name id=field label value error hint required mono=true /> }.into_any()
    }
}

fn choose(
    field: &'static str,
    label: &'static str,
    choices: Vec<Choice>,
    default: String,
    typed: StoredValue<Typed>,
) -> impl IntoView {
    let (value, error) =
        typed.with_value(|typed| (typed.value(field, &default), typed.field_error(field)));
    view! { <Select name=format!("input[{field}]") id=field label choices value error /> }
}

fn plan_view(plan: PlanPreview, artifact: String) -> impl IntoView {
    let PlanPreview {
        digest,
        service,
        environment,
        version,
        runs,
        approval,
        open,
        playbooks,
        selection,
        variables,
        batches,
    } = plan;
    let from = if runs.is_empty() {
        "Not known: nobody has asked these hosts yet.".to_owned()
    } else {
        runs
    };
    let idle = (from == version)
        .then(|| format!("Every host runs {version} already: nothing will be changed on them."));
    let unlike = (!artifact.is_empty() && !artifact.contains(&version)).then(|| {
        format!("The name of the artefact, {artifact}, does not hold the version {version}.")
    });
    let remarks: Vec<String> = idle.into_iter().chain(unlike).collect();
    let hosts: usize = batches.iter().map(|batch| batch.hosts.len()).sum();
    let next = if approval {
        "An approver decides on exactly this plan."
    } else {
        "No approval is required here; an operator can release it at once."
    };
    let batches = batches.into_iter().map(batch_view).collect_view();
    view! {
        <Section title="Preview" id="preview">
            <Facts>
                <Fact name="Change">{format!("{service} {version} to {environment}")}</Fact>
                <Fact name="Hosts">{hosts}</Fact>
                <Fact name="Runs now">{from}</Fact>
                <Fact name="Plan"><Digest value=digest /></Fact>
                {playbooks_fact(playbooks)}
                {selection_facts(selection)}
                <Fact name="Next">{next}</Fact>
            </Facts>
            {(!remarks.is_empty()).then(|| view! { <Alert tone=Tone::Warn title="Is this what you want?">{remarks.join(" ")}</Alert> })}
            {(!open.is_empty()).then(|| view! { <Alert tone=Tone::Warn title="Not the only one">"Open for this service and environment:" <ul>{open.into_iter().map(open_view).collect_view()}</ul></Alert> })}
            {given(variables)}
            <ol class="preview-batches">{batches}</ol>
        </Section>
    }
}

fn open_view(rollout: RolloutRow) -> impl IntoView {
    let look = Look::standing(&rollout.state, &rollout.batches);
    view! { <li><a href=format!("/rollouts/{}", rollout.id)>{rollout.version}</a> " " <StateBadge look /></li> }
}

fn batch_view(batch: PreviewBatch) -> impl IntoView {
    let count = ui::figure::count(u32::try_from(batch.hosts.len()).unwrap_or(u32::MAX), "host");
    let hosts = batch.hosts.into_iter().map(|host| view! { <li>{host.name} " " {host.runs.map(|version| view! { <span class="muted">{version}</span> " " })} <Tag text=host.criticality.word() /> {(!host.failure_domain.is_empty()).then(|| view! { <Tag text=host.failure_domain /> })}</li> }).collect_view();
    view! {
        <li>
            <p><strong>{format!("Batch {}", batch.number)}</strong> {format!(" · {count} · bakes {}", spell_seconds(batch.bake_seconds))}</p>
            <ul>{hosts}</ul>
        </li>
    }
}
