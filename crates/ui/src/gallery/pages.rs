use crate::prelude::*;
use view::error::ApiError;

use super::sample;
use crate::{
    badge::{BatchDots, StateBadge},
    button::{ButtonTone, LinkButton},
    feedback::{Alert, EmptyState, ErrorPanel, LoadingPanel, RehearsalBanner},
    icon::Icon,
    page::{Crumb, PageHeader, Pager, Section},
    shell::ThemeSwitch,
    state::Look,
    table::{Cell, Column, DataTable},
    text::{Digest, Fact, Facts, TimeText},
    theme::Theme,
    tone::Tone,
};

/// What pages are put together from.
#[component]
pub fn Pages() -> impl IntoView {
    view! {
        <Section title="Page header" id="page-header">
            <PageHeader
                title="checkout 1.4.2 to production"
                crumbs=vec![Crumb::link("Rollouts", "/rollouts"), Crumb::here("checkout 1.4.2")]
                badge=|| view! { <StateBadge look=Look::rollout("running") /> }
                sub=|| "Batch 2 of 3 is baking. Requested by Maria Rossi, approved by Ada Approver."
                actions=|| {
                    view! {
                        <LinkButton href="#pages" icon=Icon::Lines>
                            "Log"
                        </LinkButton>
                        <LinkButton href="#pages" tone=ButtonTone::Primary icon=Icon::Plus>
                            "New rollout"
                        </LinkButton>
                    }
                }
            />
        </Section>
        <Section title="List" id="page-list" flush=true aside=|| "Newest first">
            <List />
            <Pager shown=5 what="rollouts" first=Some("#page-list".to_owned()) next=Some("#page-list".to_owned()) />
        </Section>
        <Section title="Facts" id="page-facts">
            <Facts>
                <Fact name="Artefact">
                    <code>"checkout-1.4.2.tar.gz"</code>
                </Fact>
                <Fact name="SHA-256">
                    <Digest value="9f2c1b7de04a55e3c7c1a9b4f0f17ab2d6635c0be58d9a1f2b3c4d5e6f708192" />
                </Fact>
                <Fact name="Commit">
                    <Digest value="4fd1c2ab90" />
                </Fact>
                <Fact name="Requested">
                    <TimeText at=sample::NOW />
                </Fact>
                <Fact name="Released">
                    <TimeText at=sample::NOW seconds=true />
                </Fact>
            </Facts>
        </Section>
        <Section title="Banner and theme" id="page-banner">
            <RehearsalBanner time_scale=8640 />
            <div class="gallery-row">
                <ThemeSwitch theme=Theme::Dark />
            </div>
        </Section>
        <Messages />
    }
}

#[component]
fn List() -> impl IntoView {
    let columns = vec![
        Column::text("Rollout"),
        Column::text("State"),
        Column::text("Batches"),
        Column::text("Requested by"),
        Column::number("Requested"),
    ];
    let rows = sample::rollouts()
        .into_iter()
        .map(|row| {
            view! {
                <tr>
                    <Cell head=true>
                        <a href="#page-list">{format!("{} {}", row.service, row.version)}</a>
                        " "
                        <span class="muted">{row.environment}</span>
                    </Cell>
                    <Cell label="State">
                        <StateBadge look=Look::rollout(&row.state) />
                    </Cell>
                    <Cell label="Batches">
                        <BatchDots batches=row.batches />
                    </Cell>
                    <Cell label="Requested by">{row.requested_by}</Cell>
                    <Cell label="Requested" numeric=true>
                        <TimeText at=row.created_at />
                    </Cell>
                </tr>
            }
        })
        .collect_view();
    view! {
        <DataTable caption="Rollouts" columns>
            {rows}
        </DataTable>
    }
}

#[component]
fn Messages() -> impl IntoView {
    let say = |message: &str| message.to_owned();
    let errors = [
        ApiError::Unauthenticated,
        ApiError::Forbidden {
            message: say(
                "Releasing a batch needs the role “operator” in production. Ask an administrator for the grant.",
            ),
        },
        ApiError::NotFound {
            message: say("There is no rollout with this id. Look for it in the list of rollouts."),
        },
        ApiError::Conflict {
            message: say(
                "Omar Haddad released batch 2 while you were reading. Look at the rollout again.",
            ),
        },
        ApiError::Invalid {
            field: say("bake"),
            message: say(
                "“soon” is not a length of time. Write a number and a unit, such as “48h”.",
            ),
        },
        ApiError::Unavailable {
            message: say("The database is locked by another process. Try again in a moment."),
        },
        ApiError::Internal {
            request_id: say("01J9-7F2C"),
        },
    ];
    view! {
        <Section title="Messages" id="page-messages">
            <Alert tone=Tone::Active title="Batch 2 is baking">
                <p>"Nothing has to be done; the gate opens by itself on a passing verdict."</p>
            </Alert>
            <Alert tone=Tone::Waiting title="Waits for you">
                <p>"Somebody other than the requester has to approve the plan."</p>
            </Alert>
            <Alert tone=Tone::Good>
                <p>"Checkout was brought in. Request its first rollout."</p>
            </Alert>
            <Alert tone=Tone::Warn title="Two hosts are new">
                <p>"They joined the last batch after the plan was approved."</p>
            </Alert>
        </Section>
        <Section title="Errors" id="page-errors">{errors.map(|error| view! { <ErrorPanel error /> }).collect_view()}</Section>
        <div class="gallery-columns">
            <Section title="Empty" id="page-empty">
                <EmptyState title="No rollouts yet" icon=Icon::Deploy>
                    <p>"Bring in a service, then request its first rollout."</p>
                    <p>
                        <LinkButton href="#page-empty" tone=ButtonTone::Primary>
                            "Onboard a service"
                        </LinkButton>
                    </p>
                </EmptyState>
            </Section>
            <Section title="Loading" id="page-loading">
                <LoadingPanel what="rollouts" />
            </Section>
        </div>
    }
}
