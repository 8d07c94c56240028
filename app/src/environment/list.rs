//! The list of environments, and adding one.

use domain::environment::{Approval, Purpose};
use leptos_meta::Title;
use ui::prelude::*;
use ui::{
    Button, ButtonTone, Cell, Choice, Choices, Column, Confirm, DataTable, EmptyState, ErrorPanel,
    Icon, PageHeader, Section, Tag, TextField,
};
use view::environment::{EnvironmentList, EnvironmentRow};

use crate::{environment::api::environments, form::typed, load};

/// The list of environments.
#[component]
pub fn EnvironmentsPage() -> impl IntoView {
    let read = load::read(|| (), |()| environments());
    view! {
        <Title text="Environments" />
        {load::draw(read, "environments", environments_view)}
    }
}

fn environments_view(EnvironmentList { items, may_add }: EnvironmentList) -> impl IntoView {
    let form = typed("environment");
    let open = form.error().is_some();
    let other = form
        .other_error(&["slug", "name", "purpose", "approval"])
        .map(|error| view! { <ErrorPanel error /> });
    let empty = items.is_empty();
    let rows = items.into_iter().map(row).collect_view();
    view! {
        <PageHeader title="Environments" sub=|| "Where hosts live, and how much care a change there needs." />
        {if empty {
            view! { <EmptyState title="No environment yet">"Add one, then import its hosts from an Ansible inventory."</EmptyState> }.into_any()
        } else {
            view! {
                <Section title="All environments" id="environments" flush=true>
                    <DataTable caption="Environments" columns=vec![Column::text("Environment"), Column::text("Purpose"), Column::text("Approval"), Column::number("Hosts")]>{rows}</DataTable>
                </Section>
            }
                .into_any()
        }}
        <Confirm id="environment" label="Add an environment" icon=Some(Icon::Plus) allowance=may_add open>
            {other}
            <form method="post" action="/api/environment/add">
                <TextField name="input[name]" id="name" label="Name" value=form.value("name", "") error=form.field_error("name") />
                <TextField name="input[slug]" id="slug" label="Short name" value=form.value("slug", "") error=form.field_error("slug") mono=true hint="As in the metric tag “env”: “production”." />
                <Choices
                    name="input[purpose]"
                    label="Purpose"
                    value=form.value("purpose", Purpose::Development.word())
                    error=form.field_error("purpose")
                    choices=vec![
                        Choice::new(Purpose::Development.word(), "Development", "Changes all the time"),
                        Choice::new(Purpose::Test.word(), "Test", "Where changes are tried"),
                        Choice::new(Purpose::Production.word(), "Production", "Always requires approval"),
                    ]
                />
                <Choices
                    name="input[approval]"
                    label="Approval"
                    value=form.value("approval", Approval::Required.word())
                    error=form.field_error("approval")
                    choices=vec![
                        Choice::new(Approval::Required.word(), "Required", "Somebody other than the requester approves each plan"),
                        Choice::new(Approval::NotRequired.word(), "Not required", "Operators release at once"),
                    ]
                />
                <Button tone=ButtonTone::Primary>"Add"</Button>
            </form>
        </Confirm>
    }
}

fn row(environment: EnvironmentRow) -> impl IntoView {
    view! {
        <tr>
            <Cell head=true>
                <a href=format!("/environments/{}", environment.slug)>{environment.name}</a>
            </Cell>
            <Cell label="Purpose"><Tag text=environment.purpose.word() /></Cell>
            <Cell label="Approval">{approval(environment.approval)}</Cell>
            <Cell label="Hosts" numeric=true>{environment.hosts}</Cell>
        </tr>
    }
}

/// How an environment's approval is said.
pub fn approval(approval: Approval) -> &'static str {
    match approval {
        Approval::Required => "Required",
        Approval::NotRequired => "Not required",
    }
}
