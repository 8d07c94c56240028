//! Tokens that act for a person or a service account.

use domain::{Timestamp, id::UserId, person::TokenReach};
use ui::prelude::*;
use ui::{
    Alert, Button, ButtonTone, Choice, Confirm, DataTable, EmptyState, Section, Select, TextField,
    Tone,
};
use view::{access::Allowance, token::TokenLine};

use crate::{
    form::typed,
    token::{
        api::MADE,
        list::{columns, row},
    },
};

/// The tokens, the form that makes one, and, once, the secret of the one that was just made.
pub fn section(
    id: UserId,
    tokens: Vec<TokenLine>,
    secret: Option<String>,
    now: Timestamp,
    allowance: Allowance,
) -> impl IntoView {
    let made = secret.map(|secret| {
        view! {
            <div id=MADE>
                <Alert tone=Tone::Good title="The token was made">
                    <p>"Copy it now: it is not shown again."</p>
                    <p><code class="secret">{secret}</code></p>
                </Alert>
            </div>
        }
    });
    if tokens.is_empty() && !allowance.allowed() {
        return None;
    }
    let may_end = allowance.allowed();
    let table = if tokens.is_empty() {
        view! { <EmptyState title="No tokens">"With a token, a program or the command line acts in this name."</EmptyState> }.into_any()
    } else {
        let rows = tokens
            .into_iter()
            .map(|token| row(token, now, may_end, false))
            .collect_view();
        view! { <DataTable caption="Tokens, newest first" columns=columns()>{rows}</DataTable> }
            .into_any()
    };
    Some(view! {
        <Section title="Tokens" id="tokens" flush=true>
            {made}
            {table}
        </Section>
        {make_form(id, allowance)}
    })
}

fn make_form(id: UserId, allowance: Allowance) -> impl IntoView {
    const FIELDS: &[&str] = &["name", "reach", "days"];
    let typed = typed("token");
    let other = typed.other_error(FIELDS).map(
        |error| view! { <Alert tone=Tone::Bad title="Nothing was made">{error.message()}</Alert> },
    );
    let reaches = vec![
        Choice::new(
            TokenReach::All.word(),
            "Everything they may",
            "At the moment it is used",
        ),
        Choice::new(
            TokenReach::Read.word(),
            "Only read",
            "What a viewer may, where they hold a role",
        ),
    ];
    view! {
        <Confirm id="token" label="Make a token" allowance open=typed.error().is_some()>
            <form method="post" action="/api/token/make" class="form">
                {other}
                <input type="hidden" name="input[person]" value=id.to_string() />
                <TextField name="input[name]" id="token-name" label="Name" value=typed.value("name", "") error=typed.field_error("name") hint="What it is for, such as “laptop” or “release pipeline”." />
                <Select name="input[reach]" id="token-reach" label="It may" value=typed.value("reach", TokenReach::All.word()) choices=reaches error=typed.field_error("reach") />
                <TextField name="input[days]" id="token-days" label="For how many days" value=typed.value("days", "90") error=typed.field_error("days") hint="At most 366." />
                <Button tone=ButtonTone::Go>"Make"</Button>
            </form>
        </Confirm>
    }
}
