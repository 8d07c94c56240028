//! One person: what they hold, where they are signed in.

use domain::{
    id::UserId,
    person::{PersonKind, PersonState},
};
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;
use ui::prelude::*;
use ui::{
    Alert, Button, ButtonTone, Cell, Choice, Column, Confirm, ConfirmForm, Crumb, DataTable,
    EmptyState, Fact, Facts, PageHeader, ReasonField, Section, Select, Tags, TextField, TimeText,
    Tone,
};
use view::{
    access::Allowance,
    error::ApiError,
    person::{GrantRow, Here, PersonView, SessionRow},
};

use super::tokens;
use crate::{error::PageError, form::typed, load, person::api::person};

/// One person, for whoever keeps people.
#[component]
pub fn PersonPage() -> impl IntoView {
    let id = move || use_params_map().with(|params| params.get("id").unwrap_or_default());
    let read = load::read(id, async |id| match id.parse::<UserId>() {
        Ok(id) => person(Some(id)).await,
        Err(error) => Err(PageError(ApiError::NotFound {
            message: error.to_string(),
        })),
    });
    load::draw(read, "the person", |view| {
        let crumbs = vec![
            Crumb::link("People", "/people"),
            Crumb::here(view.row.name.clone()),
        ];
        page(view, crumbs)
    })
}

/// Whoever is signed in.
#[component]
pub fn MyPage() -> impl IntoView {
    let read = load::read(|| (), async |()| person(None).await);
    load::draw(read, "your page", |view| {
        let crumbs = vec![Crumb::here(view.row.name.clone())];
        page(view, crumbs)
    })
}

fn page(view: PersonView, crumbs: Vec<Crumb>) -> impl IntoView {
    let PersonView {
        row,
        by_group,
        grants,
        sessions,
        tokens,
        secret,
        roles,
        teams,
        services,
        environments,
        now,
        may_manage,
        may_grant,
        may_make_token,
    } = view;
    let (id, kind) = (row.id, row.kind);
    let kept_out = (row.state == PersonState::Disabled).then(|| {
        let reason = row.state_reason.clone();
        view! { <Alert tone=Tone::Bad title="Kept out">{reason}</Alert> }
    });
    let others = sessions.iter().any(|session| session.here == Here::Another);
    let own = sessions.iter().any(|session| session.here == Here::This);
    let sessions_shown = !sessions.is_empty();
    let rows = sessions
        .into_iter()
        .map(|session| session_row(id, session))
        .collect_view();
    let ending = typed("sessions");
    let refused = ending
        .error()
        .map(|error| view! { <Alert tone=Tone::Bad title="Nothing was done">{error}</Alert> });
    let everywhere = (own && others).then(|| {
        view! {
            <form method="post" action="/api/person/end" class="section-more">
                <input type="hidden" name="input[person]" value=id.to_string() />
                <Button>"Sign out everywhere else"</Button>
            </form>
        }
    });
    let groups = row.groups.clone();
    let no_groups = row
        .groups
        .is_empty()
        .then(|| view! { <span class="muted">"none"</span> });
    let email = row.email.clone();
    view! {
        <Title text=row.name.clone() />
        <PageHeader title=row.name.clone() crumbs sub=move || email.clone() />
        {kept_out}
        {standing_form(id, kind, row.state, may_manage)}
        {match kind {
            PersonKind::Human => view! {
                <Section title="Known as" id="known">
                    <Facts>
                        <Fact name="Identity provider"><code>{row.issuer}</code></Fact>
                        <Fact name="Groups"><Tags texts=groups /> {no_groups}</Fact>
                        <Fact name="Signed in last"><TimeText at=row.seen_at seconds=true /></Fact>
                    </Facts>
                </Section>
            }
            .into_any(),
            PersonKind::Service => view! {
                <Section title="Service account" id="known">
                    <p>"Programs act for it, with tokens. Nobody signs in with it, and it does not decide on requests."</p>
                    <Facts><Fact name="Made"><TimeText at=row.seen_at seconds=true /></Fact></Facts>
                </Section>
            }
            .into_any(),
        }}
        {roles_section(id, by_group, grants, now, may_grant.clone())}
        {give_form(id, roles, teams, services, environments, may_grant)}
        {tokens::section(id, tokens, secret, now, may_make_token)}
        {sessions_shown.then(|| view! {
            <Section title="Signed in" id="sessions" flush=true>
                {refused}
                <DataTable caption="Sessions, newest first" columns=vec![Column::text("Browser"), Column::text("Since"), Column::text("Ends"), Column::text("Change")]>{rows}</DataTable>
                {everywhere}
            </Section>
        })}
    }
}

fn standing_form(
    id: UserId,
    kind: PersonKind,
    state: PersonState,
    allowance: Allowance,
) -> impl IntoView {
    let typed = typed("person");
    let (label, explanation) = match (state, kind) {
        (PersonState::Active, PersonKind::Human) => (
            "Keep out",
            "They are signed out everywhere at once and cannot come in again, whatever the identity provider says; their tokens are refused. What they did stays.",
        ),
        (PersonState::Active, PersonKind::Service) => (
            "Keep out",
            "Its tokens are refused from their next request on. What was done with them stays.",
        ),
        (PersonState::Disabled, PersonKind::Human) => (
            "Let in",
            "They may sign in again, with the roles they hold then; tokens that have not ended work again.",
        ),
        (PersonState::Disabled, PersonKind::Service) => {
            ("Let in", "Its tokens that have not ended work again.")
        }
    };
    let (next, tone) = match state {
        PersonState::Active => (PersonState::Disabled, ButtonTone::Danger),
        PersonState::Disabled => (PersonState::Active, ButtonTone::Go),
    };
    view! {
        <div class="actions">
            <ConfirmForm
                id="person"
                label
                explanation
                action="/api/person/set"
                fields=vec![("input[person]", id.to_string()), ("input[state]", next.word().to_owned())]
                tone
                allowance
                reason=typed.value("reason", "")
                reason_name="input[reason]"
                error=typed.error()
            />
        </div>
    }
}

fn roles_section(
    id: UserId,
    by_group: Vec<(String, String)>,
    grants: Vec<GrantRow>,
    now: domain::Timestamp,
    may_grant: Allowance,
) -> impl IntoView {
    let none = by_group.is_empty() && grants.is_empty();
    let groups = by_group
        .into_iter()
        .map(|(role, group)| {
            view! {
                <tr>
                    <Cell head=true>{role}</Cell>
                    <Cell label="Because"><span>"in the group " <code>{group}</code></span></Cell>
                    <Cell label="Until">"they leave the group"</Cell>
                    <Cell label="Change">""</Cell>
                </tr>
            }
        })
        .collect_view();
    let given = grants
        .into_iter()
        .map(|grant| {
            let over = grant.ended_at.or(grant.expires_at.filter(|end| *end <= now));
            let told = grant.told();
            let until = match (grant.ended_at, grant.expires_at) {
                (Some(at), _) => view! { "taken by " {grant.ended_by} " " <TimeText at /> ": " {grant.ended_reason} }.into_any(),
                (None, Some(at)) => view! { <TimeText at /> }.into_any(),
                (None, None) => "somebody takes it".into_any(),
            };
            let take = (over.is_none() && may_grant.allowed()).then(|| take_form(id, &grant.id.to_string(), &told));
            view! {
                <tr class:is-past=over.is_some()>
                    <Cell head=true>{told.clone()}</Cell>
                    <Cell label="Because"><div>{grant.reason} <p class="muted">"given by " {grant.granted_by} " " <TimeText at=grant.granted_at /></p></div></Cell>
                    <Cell label="Until"><span>{until}</span></Cell>
                    <Cell label="Change">{take}</Cell>
                </tr>
            }
        })
        .collect_view();
    if none {
        return view! {
            <Section title="Roles" id="roles"><EmptyState title="No role">"Without one, nothing can be read here."</EmptyState></Section>
        }
        .into_any();
    }
    view! {
        <Section title="Roles" id="roles" flush=true>
            <DataTable caption="Roles, with why they are held" columns=vec![Column::text("Role"), Column::text("Because"), Column::text("Until"), Column::text("Change")]>{groups} {given}</DataTable>
        </Section>
    }
    .into_any()
}

fn take_form(person: UserId, grant: &str, told: &str) -> AnyView {
    let id = format!("take-{grant}");
    let typed = typed(&id);
    view! {
        <ConfirmForm
            id
            label="Take"
            explanation=format!("They no longer are {told}, from their next click on.")
            action="/api/person/take"
            fields=vec![("input[person]", person.to_string()), ("input[grant]", grant.to_owned())]
            tone=ButtonTone::Danger
            reason=typed.value("reason", "")
            reason_name="input[reason]"
            error=typed.error()
        />
    }
    .into_any()
}

fn give_form(
    id: UserId,
    roles: Vec<(String, String)>,
    teams: Vec<(String, String)>,
    services: Vec<(String, String)>,
    environments: Vec<(String, String)>,
    allowance: Allowance,
) -> impl IntoView {
    const FIELDS: &[&str] = &["role", "team", "service", "environment", "days", "reason"];
    let typed = typed("give");
    let other = typed.other_error(FIELDS).map(
        |error| view! { <Alert tone=Tone::Bad title="Nothing was done">{error.message()}</Alert> },
    );
    let choices = |list: Vec<(String, String)>| -> Vec<Choice> {
        let choice = |(value, label)| Choice {
            value,
            label,
            hint: String::new(),
        };
        list.into_iter().map(choice).collect()
    };
    let every = move |all: &str, list: Vec<(String, String)>| {
        let mut every = vec![(String::new(), all.to_owned())];
        every.extend(list);
        choices(every)
    };
    let roles = choices(roles);
    view! {
        <Confirm id="give" label="Give a role" allowance open=typed.error().is_some()>
            <form method="post" action="/api/person/give" class="form">
                {other}
                <input type="hidden" name="input[person]" value=id.to_string() />
                <Select name="input[role]" id="give-role" label="Role" value=typed.value("role", "viewer") choices=roles error=typed.field_error("role") />
                <Select name="input[team]" id="give-team" label="Team" value=typed.value("team", "") choices=every("Every team", teams) required=false error=typed.field_error("team") />
                <Select name="input[service]" id="give-service" label="Service" value=typed.value("service", "") choices=every("Every service", services) required=false error=typed.field_error("service") />
                <Select name="input[environment]" id="give-environment" label="Environment" value=typed.value("environment", "") choices=every("Every environment", environments) required=false error=typed.field_error("environment") />
                <TextField name="input[days]" id="give-days" label="For how many days" value=typed.value("days", "") error=typed.field_error("days") required=false hint="Empty is until somebody takes it." />
                <ReasonField id="give-reason" name="input[reason]" value=typed.value("reason", "") error=typed.field_error("reason") />
                <Button tone=ButtonTone::Go>"Give"</Button>
            </form>
        </Confirm>
    }
}

fn session_row(person: UserId, session: SessionRow) -> impl IntoView {
    let SessionRow {
        id,
        agent,
        address,
        since,
        expires_at,
        here,
    } = session;
    let agent = if agent.is_empty() {
        "unknown browser".to_owned()
    } else {
        agent
    };
    let change = match here {
        Here::This => view! { <span class="muted">"this one"</span> }.into_any(),
        Here::Another => view! {
            <form method="post" action="/api/person/end">
                <input type="hidden" name="input[person]" value=person.to_string() />
                <input type="hidden" name="input[session]" value=id />
                <button type="submit" class=ButtonTone::Plain.class()>"End"</button>
            </form>
        }
        .into_any(),
    };
    view! {
        <tr>
            <Cell head=true><span class="agent">{agent}</span> <p class="muted">{address}</p></Cell>
            <Cell label="Since"><TimeText at=since /></Cell>
            <Cell label="Ends"><TimeText at=expires_at /></Cell>
            <Cell label="Change">{change}</Cell>
        </tr>
    }
}
