//! One environment and its hosts.

use domain::{
    facts::{Fact, HostFacts},
    inventory::Absent,
    text::listed,
};
use leptos_meta::Title;
use leptos_router::hooks::{use_params_map, use_query_map};
use ui::prelude::*;
use ui::{
    Alert, Button, ButtonTone, Cell, Choice, Choices, Column, Confirm, Crumb, DataTable,
    EmptyState, ErrorPanel, Fact, Facts, FormActions, Icon, PageHeader, Pager, Section, Tag,
    TextArea, TextField, TimeText, Tone,
};
use view::{
    access::Returned,
    audit::AuditRow,
    environment::{EnvironmentView, HostDiff, HostRow, InventoryDiff},
    error::ApiError,
    input::ImportInput,
};

use crate::{
    environment::{
        api::{environment, inventory_diff},
        list::approval,
        reach::ReachSection,
    },
    error::PageError,
    form::typed,
    frame::Framing,
    load,
    variable::section::{Owner, Variables},
};

/// One environment with a page of its hosts.
#[component]
pub fn EnvironmentPage() -> impl IntoView {
    let slug = move || use_params_map().with(|params| params.get("slug").unwrap_or_default());
    let cursor = move || use_query_map().with(|query| query.get("cursor"));
    let framing = use_context::<Framing>();
    let read = load::read(
        move || (slug(), cursor()),
        move |(slug, cursor)| async move {
            let view = environment(slug, cursor).await?;
            let diff = Framing::looked(framing, "import", async |form| {
                inventory_diff(input(&form, &view.environment.slug)).await
            })
            .await;
            Ok::<_, PageError>((view, diff))
        },
    );
    load::draw(read, "the environment", move |(view, diff)| {
        environment_view(view, diff, cursor())
    })
}

/// Fields that show their own error.
const SOURCED: &[&str] = &[
    "inventory",
    "absent",
    "source",
    "project",
    "path",
    "filter",
    "group_by",
];

/// What the form asks; always of the environment that the page shows.
fn input(form: &Returned, environment: &str) -> ImportInput {
    ImportInput {
        environment: environment.to_owned(),
        source: form.value("source"),
        inventory: form.value("inventory"),
        project: form.value("project"),
        path: form.value("path"),
        filter: form.value("filter"),
        group_by: form.value("group_by"),
        absent: form.value("absent"),
        seen: String::new(),
    }
}

fn environment_view(
    EnvironmentView {
        environment,
        hosts,
        variables,
        reach,
        reach_secrets,
        may_import,
        last_import,
    }: EnvironmentView,
    diff: Option<Result<InventoryDiff, ApiError>>,
    cursor: Option<String>,
) -> impl IntoView {
    let (diff, diff_error) = match diff {
        Some(Ok(diff)) => (Some(diff), None),
        Some(Err(error)) => (None, Some(error)),
        None => (None, None),
    };
    let form = typed("import").with_error(diff_error);
    let open = form.error().is_some() || diff.is_some();
    let other = form
        .other_error(SOURCED)
        .map(|error| view! { <ErrorPanel error /> });
    // What was looked at is imported as it was looked at; whoever changes the text looks again.
    let seen = diff
        .as_ref()
        .filter(|diff| !diff.is_none())
        .map(|diff| diff.digest.clone());
    let (stale, looked) = (RwSignal::new(false), diff.is_some());
    let shown_diff = diff.map(diff_view);
    let action = if seen.is_some() {
        "/api/host/import"
    } else {
        "/api/host/look"
    };
    let buttons = match &seen {
        Some(_) => view! {
            <Button tone=ButtonTone::Primary>"Import"</Button>
            <button type="submit" class=ButtonTone::Plain.class() formaction="/api/host/look">"Look again"</button>
        }
        .into_any(),
        None => view! { <Button tone=ButtonTone::Primary>"Show what changes"</Button> }.into_any(),
    };
    let here = format!("/environments/{}", environment.slug);
    let owner = Owner::Environment(environment.slug.clone());
    let (may_change, slug) = (may_import.clone(), environment.slug.clone());
    let first = cursor.is_some().then(|| here.clone());
    let next = hosts.next.map(|cursor| format!("{here}?cursor={cursor}"));
    let shown = hosts.items.len();
    let rows = hosts.items.into_iter().map(row).collect_view();
    let crumbs = vec![
        Crumb::link("Environments", "/environments"),
        Crumb::here(environment.name.clone()),
    ];
    let sub = format!(
        "{} · {} hosts · approval {}",
        environment.purpose,
        environment.hosts,
        approval(environment.approval).to_ascii_lowercase()
    );
    view! {
        <Title text=environment.name.clone() />
        <PageHeader title=environment.name.clone() crumbs sub=move || sub.clone() />
        {last_import.map(last_import_view)}
        {if shown == 0 {
            view! { <EmptyState title="No hosts yet">"Paste an Ansible inventory below: Slipway reads it with Ansible itself."</EmptyState> }.into_any()
        } else {
            view! {
                <Section title="Hosts" id="hosts" flush=true>
                    <DataTable caption="Hosts" columns=vec![Column::text("Host"), Column::text("Runs"), Column::text("Address"), Column::text("Criticality"), Column::text("Failure domain"), Column::text("Groups"), Column::text("Variables")]>{rows}</DataTable>
                    <Pager shown what="hosts" first next />
                </Section>
            }
                .into_any()
        }}
        <ReachSection environment=slug reach kept=reach_secrets may_change=may_change.clone() />
        <Variables owner variables may_change hint="What playbooks of every service are given here. A service's own variable of the same name wins." />
        <Confirm id="import" label="Import hosts" icon=Some(Icon::Plus) allowance=may_import open>
            {other}
            <form method="post" action=action class="form" on:input=move |_| stale.set(looked)>
                <input type="hidden" name="input[environment]" value=environment.slug />
                {seen.map(|seen| view! { <input type="hidden" name="input[seen]" value=seen /> })}
                <Choices
                    name="input[source]"
                    label="Where it comes from"
                    value=form.value("source", "")
                    error=form.field_error("source")
                    choices=vec![
                        Choice::new("", "The text below", "As it is pasted"),
                        Choice::new("project", "A project", "A file, a folder or a script in its repository"),
                        Choice::new("datadog", "Datadog", "The hosts it knows"),
                    ]
                />
                <TextArea
                    name="input[inventory]"
                    id="inventory"
                    label="Ansible inventory"
                    value=form.value("inventory", "")
                    error=form.field_error("inventory")
                    mono=true
                    rows=12
                    required=false
                    hint="INI or YAML. slipway_criticality (low, normal, high), slipway_failure_domain and slipway_identity (cloud or agent id) tell Slipway what it should know."
                />
                <details class="more" open=["project", "path", "filter", "group_by"].iter().any(|field| form.field_error(field).is_some()) || !form.value("source", "").is_empty()>
                    <summary>"Of a project, or of Datadog"</summary>
                    <TextField name="input[project]" id="import-project" label="Project" value=form.value("project", "") error=form.field_error("project") required=false mono=true hint="Its short name. Scripts get the environment's secrets that are called in capitals." />
                    <TextField name="input[path]" id="import-path" label="Path" value=form.value("path", "") error=form.field_error("path") required=false mono=true hint="In the project, such as inventories/production." />
                    <TextField name="input[filter]" id="import-filter" label="Datadog filter" value=form.value("filter", "") error=form.field_error("filter") required=false mono=true hint="Part of a name, or a tag such as env:production." />
                    <TextField name="input[group_by]" id="import-group-by" label="Groups from the tag" value=form.value("group_by", "") error=form.field_error("group_by") required=false mono=true hint="A host with role:web joins the group web where this is “role”." />
                </details>
                <Choices
                    name="input[absent]"
                    label="Hosts that the inventory does not name"
                    value=form.value("absent", Absent::Keep.word())
                    error=form.field_error("absent")
                    choices=vec![
                        Choice::new(Absent::Keep.word(), "Stay", "The inventory is a part of the whole"),
                        Choice::new(Absent::Remove.word(), "Leave", "The inventory is the whole; what happened on them is kept"),
                    ]
                />
                {shown_diff}
                {move || stale.get().then(|| view! { <Alert tone=Tone::Warn title="The form has changed since">"Look again to see what would change now."</Alert> })}
                <FormActions>{buttons}</FormActions>
            </form>
        </Confirm>
    }
}

/// Hosts that a difference names at most; it counts the others.
const NAMED: usize = 100;

/// What an inventory would change: one line for each kind, and one for each host that changes.
fn diff_view(diff: InventoryDiff) -> impl IntoView {
    if diff.is_none() && diff.gone.is_empty() {
        let known = ui::figure::count(diff.unchanged, "host");
        return view! { <Alert title="Nothing would change">{format!("The inventory says what is known already, of {known}.")}</Alert> }.into_any();
    }
    let line = |label: &'static str, names: Vec<String>| {
        let count = names.len();
        (count > 0).then(
            || view! { <Fact name=label>{format!("{count}: {}", listed(names, NAMED))}</Fact> },
        )
    };
    let gone = match diff.absent {
        Absent::Keep => "Not named, stay",
        Absent::Remove => "Removed",
    };
    let alike: Vec<&String> = match diff.absent {
        Absent::Keep => Vec::new(),
        Absent::Remove => diff
            .added
            .iter()
            .filter(|name| diff.gone.contains(name))
            .collect(),
    };
    let alike = (!alike.is_empty()).then(|| {
        let names = listed(alike, NAMED);
        view! { <Alert tone=Tone::Warn title="The same name, another host">{format!("{names}: known by another identity so far (slipway_identity, or else the name). What ran on the known one stays with it.")}</Alert> }
    });
    let more = diff.changed.len().saturating_sub(NAMED);
    let more = (more > 0).then(|| view! { <li class="muted">{format!("and {more} more")}</li> });
    let changed = diff
        .changed
        .into_iter()
        .take(NAMED)
        .map(change_view)
        .collect_view();
    view! {
        <Section title="What changes" id="difference">
            <Facts>
                {line("New", diff.added)}
                {line(gone, diff.gone)}
                <Fact name="As before">{ui::figure::count(diff.unchanged, "host")}</Fact>
            </Facts>
            <ul class="diff" aria-label="Hosts that change">{changed} {more}</ul>
            {alike}
        </Section>
    }
    .into_any()
}

fn change_view(change: HostDiff) -> impl IntoView {
    let HostDiff {
        name,
        renamed_from,
        joined,
        left,
        what,
    } = change;
    let what = what.iter().map(|(name, change)| change.spell(name));
    let parts: Vec<String> = [
        ("was called", renamed_from.into_iter().collect()),
        ("joins", joined),
        ("leaves", left),
        ("", what.collect()),
    ]
    .into_iter()
    .filter(|(_, names): &(_, Vec<String>)| !names.is_empty())
    .map(|(word, names)| {
        format!("{word} {}", names.join(", "))
            .trim_start()
            .to_owned()
    })
    .collect();
    view! { <li><strong>{name}</strong> " " <span class="muted">{parts.join(" · ")}</span></li> }
}

fn last_import_view(event: AuditRow) -> impl IntoView {
    let reason = (!event.reason.is_empty()).then(|| view! { <p class="muted">{event.reason}</p> });
    view! {
        <Section title="Last import" id="last-import">
            <div>
                <p>{event.summary} ", by " {event.actor} ", " <TimeText at=event.at /></p>
                {reason}
            </div>
        </Section>
    }
}

/// What a host told of itself: its system in a line, the rest folded.
fn facts(facts: HostFacts) -> Option<AnyView> {
    let HostFacts {
        distribution,
        version,
        kernel,
        architecture,
        hostname,
        python,
        machine_id,
        cloud_id,
        cpus,
        memory_mb,
    } = facts;
    let text = |fact: Option<Fact>| fact.map(|fact| fact.as_str().to_owned());
    let system = [text(distribution), text(version)];
    let system: Vec<String> = system.into_iter().flatten().collect();
    if system.is_empty() {
        return None;
    }
    let gigabytes = |mb: u32| {
        format!(
            "{} GB",
            ui::figure::number((f64::from(mb) / 102.4).round() / 10.0)
        )
    };
    let rest = [
        ("kernel", text(kernel)),
        ("architecture", text(architecture)),
        ("processors", cpus.map(|cpus| cpus.to_string())),
        ("memory", memory_mb.map(gigabytes)),
        ("Python", text(python)),
        ("calls itself", text(hostname)),
        ("machine id", text(machine_id)),
        ("cloud id", text(cloud_id)),
    ];
    let rest = rest.into_iter().filter_map(|(name, value)| {
        value.map(|value| view! { <li>{name} " " <code>{value}</code></li> })
    });
    let view = view! {
        <details class="more"><summary>{system.join(" ")}</summary><ul class="muted">{rest.collect_view()}</ul></details>
    };
    Some(view.into_any())
}

fn row(host: HostRow) -> impl IntoView {
    let groups = host
        .groups
        .into_iter()
        .map(|group| view! { <Tag text=group /> })
        .collect_view();
    let runs = if host.runs.is_empty() {
        view! { <span class="muted">"not known"</span> }
    } else {
        let run = |(service, version)| view! { <p>{service} " " <code>{version}</code></p> };
        host.runs.into_iter().map(run).collect_view().into_any()
    };
    // Only their names, which would fill half of the table.
    let variables = (!host.variables.is_empty()).then(|| {
        let count = host.variables.len();
        view! { <details class="more"><summary>{format!("{count} set")}</summary><code>{host.variables.join(" ")}</code></details> }
    });
    let identity = (host.identity != host.name).then_some(host.identity);
    view! {
        <tr>
            <Cell head=true>{host.name} {identity.map(|identity| view! { <p class="muted">{identity}</p> })} {host.facts.and_then(facts)}</Cell>
            <Cell label="Runs">{runs}</Cell>
            <Cell label="Address"><code class="is-whole">{host.address}</code></Cell>
            <Cell label="Criticality">{host.criticality.word()}</Cell>
            <Cell label="Failure domain">{host.failure_domain}</Cell>
            <Cell label="Groups">{groups}</Cell>
            <Cell label="Variables">{variables}</Cell>
        </tr>
    }
}
