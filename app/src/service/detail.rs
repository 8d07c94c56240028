//! One service.

use leptos_meta::Title;
use leptos_router::hooks::use_params_map;
use ui::prelude::*;
use ui::{
    Button, ButtonTone, Choice, Confirm, Crumb, EmptyState, Fact, Facts, FormActions, Icon,
    LinkButton, PageHeader, Section, Select,
};
use view::{access::Allowance, service::ServiceView};

use crate::{
    form::typed,
    load,
    rollout::list::rollout_table,
    service::api::service,
    variable::section::{Owner, Variables},
};

/// One service with its newest rollouts.
#[component]
pub fn ServicePage() -> impl IntoView {
    let slug = move || use_params_map().with(|params| params.get("slug").unwrap_or_default());
    let read = load::read(slug, service);
    load::draw(read, "the service", service_view)
}

fn service_view(view: ServiceView) -> impl IntoView {
    let ServiceView {
        service,
        repository,
        installation,
        telemetry,
        rollouts,
        variables,
        playbooks: chosen,
        playbook_choices,
        environments,
        may_request,
        may_configure,
    } = view;
    let playbooks = playbooks(
        service.slug.clone(),
        chosen,
        playbook_choices,
        may_configure.clone(),
    );
    let owner = Owner::Service(service.slug.clone(), environments);
    let crumbs = vec![
        Crumb::link("Services", "/services"),
        Crumb::here(service.name.clone()),
    ];
    let new = format!("/rollouts/new?service={}", service.slug);
    let team = service.team.clone();
    let nothing_runs = service.runs.is_empty().then(
        || view! { <p class="muted">"No host was seen to run it yet: a rollout asks them."</p> },
    );
    let runs = service
        .runs_in()
        .into_iter()
        .map(|(environment, runs)| view! { <Fact name=environment><code>{runs}</code></Fact> })
        .collect_view();
    view! {
        <Title text=service.name.clone() />
        <PageHeader
            title=service.name.clone()
            crumbs
            sub=move || format!("Owned by {team}")
            actions=move || view! { <LinkButton id="request" href=new.clone() tone=ButtonTone::Primary icon=Some(Icon::Plus) allowance=may_request.clone()>"New rollout"</LinkButton> }
        />
        <p>{service.description}</p>
        <div class="columns">
            <Section title="Runs" id="runs">
                {nothing_runs}
                <Facts>{runs}</Facts>
            </Section>
            <Section title="Installation" id="installation">
                <Facts>
                    <Fact name="Host group"><code>{installation.host_group.to_string()}</code></Fact>
                    <Fact name="Folder"><code>{installation.install_root}</code></Fact>
                    <Fact name="Health"><code>{format!("port {}, {}", installation.health_port, installation.health_path)}</code></Fact>
                    {(!repository.is_empty()).then(|| view! { <Fact name="Repository"><code>{repository}</code></Fact> })}
                </Facts>
                {playbooks}
            </Section>
        </div>
        <Section title="Rollouts" id="rollouts" flush=true>
            {if rollouts.is_empty() {
                view! { <EmptyState title="No rollout yet">"The first one shows here, batch by batch."</EmptyState> }.into_any()
            } else {
                rollout_table(rollouts).into_any()
            }}
        </Section>
        <Variables owner variables may_change=may_configure hint="What playbooks are given for this service. One for an environment wins over one for every environment, one for a group over one for all hosts, and each over the environment's own." />
        <Section title="Telemetry" id="telemetry">
            <p class="muted">"A batch is judged by these queries against its own baseline."</p>
            <Facts wide=true>
                <Fact name="Requests"><code>{telemetry.requests}</code></Fact>
                <Fact name="Errors"><code>{telemetry.errors}</code></Fact>
                <Fact name="Latency"><code>{telemetry.latency}</code></Fact>
                <Fact name="Liveness"><code>{telemetry.liveness}</code></Fact>
            </Facts>
        </Section>
    }
}

/// Whose playbooks the service runs, and the form that chooses others.
fn playbooks(
    service: String,
    chosen: String,
    choices: Vec<(String, String)>,
    may_configure: Allowance,
) -> impl IntoView {
    let known = choices.iter().find(|(value, _)| *value == chosen);
    let runs = known.map(|(_, name)| name.clone()).unwrap_or_default();
    let choices: Vec<Choice> = choices
        .into_iter()
        .map(|(value, name)| Choice::new(value, name, ""))
        .collect();
    let form = typed("playbooks");
    let error = form.error();
    let open = error.is_some();
    view! {
        <Facts><Fact name="Playbooks">{runs} " (" <a href="/projects">"projects"</a> ")"</Fact></Facts>
        <Confirm id="playbooks" label="Choose playbooks" allowance=may_configure open>
            <form method="post" action="/api/service/playbooks" class="form">
                <input type="hidden" name="input[service]" value=service />
                <Select name="input[playbooks]" id="service-playbooks" label="Playbooks" choices value=form.value("playbooks", &chosen) error required=false hint="New rollouts run them; plans that were made keep theirs." />
                <FormActions><Button tone=ButtonTone::Primary>"Choose"</Button></FormActions>
            </form>
        </Confirm>
    }
}
