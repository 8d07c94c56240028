//! The list of projects.

use domain::project::{FetchedCommit, ProjectConfig};
use leptos_meta::Title;
use ui::prelude::*;
use ui::{
    Alert, Button, ButtonTone, Cell, Choice, Choices, Column, Confirm, DataTable, Digest,
    EmptyState, ErrorPanel, FormActions, Icon, PageHeader, Section, TextArea, TextField, TimeText,
    Tone, figure,
};
use view::{
    access::Allowance,
    project::{ProjectList, ProjectRow},
};

use crate::{form::typed, load, project::api::projects};

/// The list of projects.
#[component]
pub fn ProjectsPage() -> impl IntoView {
    let read = load::read(|| (), |()| projects());
    view! {
        <Title text="Projects" />
        {load::draw(read, "projects", page)}
    }
}

fn page(ProjectList { items, may_manage }: ProjectList) -> impl IntoView {
    let none = items.is_empty();
    let may_fetch = may_manage.allowed();
    let refused = typed("projects")
        .other_error(&[])
        .map(|error| view! { <ErrorPanel error /> });
    let rows = items
        .into_iter()
        .map(|project| row(project, may_fetch))
        .collect_view();
    view! {
        <PageHeader title="Projects" sub=|| "Playbooks that teams keep in Git. A plan keeps the commit it was made with." />
        {refused}
        {if none {
            view! { <EmptyState title="No project yet">"Services run the playbooks that come with Slipway. A project adds your own: deploy.yml, probe.yml and rollback.yml in a repository."</EmptyState> }.into_any()
        } else {
            view! {
                <Section title="All projects" id="projects" flush=true>
                    <DataTable caption="Projects" columns=vec![Column::text("Project"), Column::text("Repository"), Column::text("Fetched"), Column::number("Services"), Column::text("Change")]>{rows}</DataTable>
                </Section>
            }
            .into_any()
        }}
        {form(may_manage)}
    }
}

fn row(project: ProjectRow, may_fetch: bool) -> impl IntoView {
    let ProjectRow {
        slug,
        name,
        source,
        fetched,
        problem,
        services,
        has_secret,
    } = project;
    let place = match source.folder.as_str() {
        "" => source.revision.clone(),
        folder => format!("{}, folder {folder}", source.revision),
    };
    let fetched = match fetched {
        None => view! { <span class="muted">"not yet"</span> }.into_any(),
        Some(FetchedCommit {
            commit,
            subject,
            authored_at,
            fetched_at,
        }) => view! {
            <p><Digest value=commit /></p>
            <p>{subject}</p>
            <p class="muted">"of " <TimeText at=authored_at /> ", fetched " <TimeText at=fetched_at /></p>
        }
        .into_any(),
    };
    let problem = (!problem.is_empty())
        .then(|| view! { <Alert tone=Tone::Bad title="The last fetch failed">{problem}</Alert> });
    let label = format!("Fetch {name}");
    let button = may_fetch.then(|| {
        view! {
            <form method="post" action="/api/project/fetch">
                <input type="hidden" name="project" value=slug.clone() />
                <button type="submit" class=ButtonTone::Plain.class() aria-label=label>"Fetch"</button>
            </form>
        }
    });
    let secret = has_secret
        .then(|| view! { <p class="muted kept">{Icon::Lock.draw()} "with a key or token"</p> });
    view! {
        <tr>
            <Cell head=true>{name} <p class="muted"><code>{slug}</code></p></Cell>
            <Cell label="Repository"><div><code class="variable-value">{source.url}</code> <p class="muted">{place}</p> {secret}</div></Cell>
            <Cell label="Fetched"><div>{fetched} {problem}</div></Cell>
            <Cell label="Services" numeric=true>{figure::number(f64::from(services))}</Cell>
            <Cell label="Change">{button}</Cell>
        </tr>
    }
}

fn form(may_manage: Allowance) -> impl IntoView {
    const FIELDS: &[&str] = &[
        "slug",
        "name",
        "url",
        "revision",
        "folder",
        "deploy",
        "probe",
        "roll_back",
        "config",
        "token",
        "private_key",
        "known_hosts",
    ];
    let form = StoredValue::new(typed("project"));
    let value =
        move |field: &str, default: &str| form.with_value(|form| form.value(field, default));
    let error = move |field: &str| form.with_value(|form| form.field_error(field));
    let other = form
        .with_value(|form| form.other_error(FIELDS))
        .map(|error| view! { <ErrorPanel error /> });
    let open = form.with_value(|form| form.error().is_some());
    let more = ["folder", "deploy", "probe", "roll_back", "config"]
        .iter()
        .any(|field| error(field).is_some());
    view! {
        <Confirm id="project" label="Add or change a project" icon=Some(Icon::Plus) allowance=may_manage open>
            {other}
            <form method="post" action="/api/project/set" class="form" autocomplete="off">
                <p class="muted">"Its playbooks run on this machine as the user that runs Slipway, and see what they are given: add repositories you trust. A project of the same short name is replaced."</p>
                <TextField name="input[name]" id="project-name" label="Name" value=value("name", "") error=error("name") />
                <TextField name="input[slug]" id="project-slug" label="Short name" value=value("slug", "") error=error("slug") mono=true hint="Lower-case, such as “payments-playbooks”." />
                <TextField name="input[url]" id="project-url" label="Repository" value=value("url", "") error=error("url") mono=true hint="https://git.example.com/ops/playbooks.git, or git@git.example.com:ops/playbooks.git" />
                <TextField name="input[revision]" id="project-revision" label="Branch, tag or commit" value=value("revision", "main") error=error("revision") mono=true />
                <TextField name="input[token]" id="project-token" label="Token, for https" value="" error=error("token") required=false kind="password" hint="Stored as ciphertext. Left empty, what is kept for this address stays." />
                <TextArea name="input[private_key]" id="project-key" label="Private key, for ssh" value="" error=error("private_key") required=false mono=true hint="An OpenSSH key without a passphrase that may only read. Stored as ciphertext." />
                <TextArea name="input[known_hosts]" id="project-known" label="Known hosts, for ssh" value=value("known_hosts", "") error=error("known_hosts") required=false mono=true hint="Lines of a known_hosts file; other hosts are refused." />
                <details class="more" open=more>
                    <summary>"Folder and playbooks"</summary>
                    <TextField name="input[folder]" id="project-folder" label="Folder" value=value("folder", "") error=error("folder") required=false mono=true hint="Of the repository, with playbooks and roles; empty is its root." />
                    <TextField name="input[deploy]" id="project-deploy" label="Deploy" value=value("deploy", "deploy.yml") error=error("deploy") mono=true />
                    <TextField name="input[probe]" id="project-probe" label="Probe" value=value("probe", "probe.yml") error=error("probe") mono=true hint="Asks hosts which version runs; changes nothing." />
                    <TextField name="input[roll_back]" id="project-rollback" label="Roll back" value=value("roll_back", "rollback.yml") error=error("roll_back") mono=true />
                    <Choices
                        name="input[config]"
                        id="project-config"
                        label="Its ansible.cfg"
                        value=value("config", ProjectConfig::Ignored.word())
                        error=error("config")
                        choices=vec![
                            Choice::new(ProjectConfig::Ignored.word(), "Ignored", "Slipway's own is used"),
                            Choice::new(ProjectConfig::Read.word(), "Read", "But for host keys, connections, inventories, reports and logs"),
                        ]
                    />
                </details>
                <FormActions><Button tone=ButtonTone::Primary>"Save and fetch"</Button></FormActions>
            </form>
        </Confirm>
    }
}
