//! Bringing a service in.

use leptos_meta::Title;
use ui::prelude::*;
use ui::{
    Button, ButtonTone, Choice, Crumb, ErrorPanel, FormActions, PageHeader, Section, Select,
    TextArea, TextField,
};
use view::{access::Allowance, service::OnboardingForm};

use crate::{form::typed, load, service::api::onboarding_form};

const FIELDS: &[&str] = &[
    "team",
    "slug",
    "name",
    "description",
    "repository",
    "host_group",
    "install_root",
    "health_port",
    "health_path",
    "requests",
    "errors",
    "latency",
    "liveness",
];

/// The form that brings a service in.
#[component]
pub fn OnboardPage() -> impl IntoView {
    let read = load::read(|| (), |()| onboarding_form());
    view! {
        <Title text="Bring a service in" />
        {load::draw(read, "the form", form_view)}
    }
}

fn form_view(OnboardingForm { teams, may_onboard }: OnboardingForm) -> impl IntoView {
    let form = StoredValue::new(typed("onboard"));
    let value =
        move |field: &str, default: &str| form.with_value(|form| form.value(field, default));
    let error = move |field: &str| form.with_value(|form| form.field_error(field));
    let choices: Vec<Choice> = teams
        .iter()
        .map(|team| Choice::new(&team.slug, &team.name, ""))
        .collect();
    let only = if teams.len() == 1 {
        teams[0].slug.clone()
    } else {
        String::new()
    };
    let refused = form
        .with_value(|form| form.other_error(FIELDS))
        .map(|error| view! { <ErrorPanel error /> });
    let allowance = match may_onboard {
        Allowance::NotOffered => Allowance::Allowed,
        allowance => allowance,
    };
    view! {
        <PageHeader
            title="Bring a service in"
            crumbs=vec![Crumb::link("Services", "/services"), Crumb::here("New")]
            sub=|| "What it is, where it runs, and what it is judged by."
        />
        {refused}
        <form method="post" action="/api/service/onboard" id="onboard" class="form">
            <Section title="The service" id="what">
                <Select name="input[team]" id="team" label="Team" choices value=value("team", &only) error=error("team") hint="Owns the service; its members request rollouts." />
                <TextField name="input[name]" id="name" label="Name" value=value("name", "") error=error("name") />
                <TextField name="input[slug]" id="slug" label="Short name" value=value("slug", "") error=error("slug") mono=true hint="Lower-case, as in metric tags: “checkout”." />
                <TextArea name="input[description]" id="description" label="Description" value=value("description", "") error=error("description") required=false rows=2 />
                <TextField name="input[repository]" id="repository" label="Repository" value=value("repository", "") error=error("repository") required=false mono=true />
            </Section>
            <Section title="On its hosts" id="where">
                <TextField name="input[host_group]" id="host_group" label="Inventory group" value=value("host_group", "all") error=error("host_group") mono=true hint="The group of hosts it runs on; “all” for every host of an environment." />
                <TextField name="input[install_root]" id="install_root" label="Folder" value=value("install_root", "") error=error("install_root") mono=true hint="Holds the releases and the link “current”, such as /opt/checkout." />
                <TextField name="input[health_port]" id="health_port" label="Health port" value=value("health_port", "8080") error=error("health_port") kind="number" />
                <TextField name="input[health_path]" id="health_path" label="Health path" value=value("health_path", "/health") error=error("health_path") mono=true hint="Answers 200 with a JSON document that names the running version." />
            </Section>
            <Section title="Judged by" id="judged">
                <p class="muted">"Datadog queries, grouped by host; {env} stands for the environment's short name."</p>
                <TextField name="input[requests]" id="requests" label="Requests" value=value("requests", "") error=error("requests") mono=true hint="Such as sum:checkout.requests{service:checkout,env:{env}} by {host}" />
                <TextField name="input[errors]" id="errors" label="Errors" value=value("errors", "") error=error("errors") mono=true />
                <TextField name="input[latency]" id="latency" label="Latency in ms" value=value("latency", "") error=error("latency") mono=true />
                <TextField name="input[liveness]" id="liveness" label="Liveness" value=value("liveness", "") error=error("liveness") mono=true hint="Anything every living host reports." />
            </Section>
            <FormActions>
                <Button id="submit" tone=ButtonTone::Primary allowance>"Bring it in"</Button>
            </FormActions>
        </form>
    }
}
