//! The variables of a service or of an environment.

use domain::variable::VariableKind;
use ui::prelude::*;
use ui::{
    Button, ButtonTone, Cell, Choice, Column, Confirm, DataTable, Digest, ErrorPanel, Fact,
    FormActions, Icon, Section, Select, TextArea, TextField, TimeText, figure,
};
use view::{
    access::Allowance,
    project::PlaybooksShown,
    rollout::SelectionShown,
    variable::{GivenVariable, VariableRow},
};

use crate::form::typed;

/// Whose variables these are, by slug.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// With every environment there is, slug and name.
    Service(String, Vec<(String, String)>),
    Environment(String),
}

impl Owner {
    fn field(&self) -> (&'static str, String) {
        match self {
            Self::Service(slug, _) => ("input[service]", slug.clone()),
            Self::Environment(slug) => ("input[environment]", slug.clone()),
        }
    }
}

/// What a kind is called.
pub fn kind_label(kind: VariableKind) -> &'static str {
    match kind {
        VariableKind::Text => "Text",
        VariableKind::Number => "Number",
        VariableKind::YesNo => "Yes or no",
        VariableKind::List => "List, one per line",
        VariableKind::Json => "JSON",
        VariableKind::Secret => "Secret",
    }
}

/// The list with a form that sets one; `hint` says what they are for.
#[component]
pub fn Variables(
    owner: Owner,
    variables: Vec<VariableRow>,
    may_change: Allowance,
    hint: &'static str,
) -> impl IntoView {
    let of_service = matches!(owner, Owner::Service(..));
    let mut columns = vec![Column::text("Name"), Column::text("Value")];
    if of_service {
        columns.push(Column::text("Environment"));
    }
    columns.extend([
        Column::text("Hosts"),
        Column::text("Set"),
        Column::text("Change"),
    ]);
    let some = !variables.is_empty();
    let removable = may_change.allowed();
    let rows = variables
        .into_iter()
        .map(|variable| row(variable, owner.field(), of_service, removable))
        .collect_view();
    let refused = typed("variables")
        .other_error(&[])
        .map(|error| view! { <ErrorPanel error /> });
    view! {
        <Section title="Variables" id="variables" flush=some>
            <p class=if some { "section-more muted" } else { "muted" }>{hint}</p>
            {refused}
            {some.then(|| view! { <DataTable caption="Variables" columns>{rows}</DataTable> })}
            <div class=if some { "section-more" } else { "" }>
                {form(owner, may_change)}
            </div>
        </Section>
    }
}

/// Whose playbooks a plan runs.
pub fn playbooks_fact(shown: PlaybooksShown) -> impl IntoView {
    let commit = shown
        .commit
        .map(|commit| view! { " at " <Digest value=commit /> });
    view! { <Fact name="Playbooks">{shown.name} {commit}</Fact> }
}

/// What a plan takes of hosts and of tasks, where that is not all.
pub fn selection_facts(shown: SelectionShown) -> impl IntoView {
    let SelectionShown {
        limit,
        tags,
        skip_tags,
    } = shown;
    [
        ("Only hosts", limit),
        ("Only tags", tags),
        ("Without tags", skip_tags),
    ]
    .map(|(name, value)| {
        (!value.is_empty()).then(|| view! { <Fact name><code>{value}</code></Fact> })
    })
    .into_iter()
    .collect_view()
}

/// What a plan gives to playbooks, folded.
pub fn given(variables: Vec<GivenVariable>) -> Option<AnyView> {
    let count = u32::try_from(variables.len()).unwrap_or(u32::MAX);
    let rows = variables.into_iter().map(|variable| {
        let hosts = match variable.host_group.is_empty() {
            true => "all".to_owned(),
            false => variable.host_group,
        };
        view! {
            <tr>
                <Cell head=true><code>{variable.name}</code></Cell>
                <Cell label="Value">{shown(variable.value)}</Cell>
                <Cell label="Hosts">{hosts}</Cell>
                <Cell label="Set for">{variable.from}</Cell>
            </tr>
        }
    });
    let rows = rows.collect_view();
    (count > 0).then(|| {
        view! {
            <details class="more">
                <summary>{format!("Given to the playbooks: {}", figure::count(count, "variable"))}</summary>
                <DataTable caption="Variables of the plan" columns=vec![Column::text("Name"), Column::text("Value"), Column::text("Hosts"), Column::text("Set for")]>{rows}</DataTable>
            </details>
        }
        .into_any()
    })
}

fn shown(value: Option<String>) -> AnyView {
    match value {
        Some(value) if value.is_empty() => view! { <span class="muted">"empty"</span> }.into_any(),
        Some(value) => view! { <code class="variable-value">{value}</code> }.into_any(),
        None => {
            view! { <span class="muted kept">{Icon::Lock.draw()} "kept secret"</span> }.into_any()
        }
    }
}

fn row(
    variable: VariableRow,
    (field, slug): (&'static str, String),
    of_service: bool,
    removable: bool,
) -> impl IntoView {
    let VariableRow {
        id,
        name,
        kind,
        value,
        environment,
        host_group,
        set_by,
        set_at,
    } = variable;
    let or = |text: String, everything: &'static str| match text.is_empty() {
        true => view! { <span class="muted">{everything}</span> }.into_any(),
        false => view! { <code>{text}</code> }.into_any(),
    };
    let label = format!("Remove {name}");
    let remove = removable.then(|| {
        view! {
            <form method="post" action="/api/variable/remove">
                <input type="hidden" name=field value=slug />
                <input type="hidden" name="input[variable]" value=id.to_string() />
                <button type="submit" class=ButtonTone::Plain.class() aria-label=label>"Remove"</button>
            </form>
        }
    });
    view! {
        <tr>
            <Cell head=true><code>{name}</code> <p class="muted">{kind_label(kind)}</p></Cell>
            <Cell label="Value">{shown(value)}</Cell>
            {of_service.then(|| view! { <Cell label="Environment">{or(environment, "every one")}</Cell> })}
            <Cell label="Hosts">{or(host_group, "all")}</Cell>
            <Cell label="Set"><TimeText at=set_at /> <p class="muted">{set_by}</p></Cell>
            <Cell label="Change">{remove}</Cell>
        </tr>
    }
}

fn form(owner: Owner, may_change: Allowance) -> impl IntoView {
    const FIELDS: &[&str] = &["name", "kind", "value", "host_group", "environment"];
    let form = typed("variable");
    let (field, slug) = owner.field();
    let other = form
        .other_error(FIELDS)
        .map(|error| view! { <ErrorPanel error /> });
    let kinds = VariableKind::ALL
        .iter()
        .map(|kind| Choice::new(kind.word(), kind_label(*kind), ""))
        .collect();
    let environment = match owner {
        Owner::Environment(_) => None,
        Owner::Service(_, environments) => {
            let every = Choice::new("", "Every environment", "");
            let each = environments
                .into_iter()
                .map(|(slug, name)| Choice::new(slug, name, ""));
            let choices: Vec<Choice> = std::iter::once(every).chain(each).collect();
            Some(view! {
                <Select name="input[environment]" id="variable-environment" label="Environment" choices value=form.value("environment", "") error=form.field_error("environment") required=false />
            })
        }
    };
    let open = form.error().is_some();
    view! {
        <Confirm id="variable" label="Set a variable" icon=Some(Icon::Plus) allowance=may_change open>
            {other}
            <form method="post" action="/api/variable/set" class="form" autocomplete="off">
                <input type="hidden" name=field value=slug />
                <TextField name="input[name]" id="variable-name" label="Name" value=form.value("name", "") error=form.field_error("name") mono=true hint="As playbooks know it. A variable of this name at this place is replaced." />
                <Select name="input[kind]" id="variable-kind" label="Kind" choices=kinds value=form.value("kind", VariableKind::Text.word()) error=form.field_error("kind") hint="A secret is stored as ciphertext, never shown again, and masked in outputs." />
                <TextArea name="input[value]" id="variable-value" label="Value" value=form.value("value", "") error=form.field_error("value") required=false mono=true rows=2 />
                {environment}
                <TextField name="input[host_group]" id="variable-group" label="Inventory group" value=form.value("host_group", "") error=form.field_error("host_group") required=false mono=true hint="Leave it empty for every host." />
                <FormActions><Button tone=ButtonTone::Primary>"Set"</Button></FormActions>
            </form>
        </Confirm>
    }
}
