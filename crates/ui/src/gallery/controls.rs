use crate::prelude::*;
use domain::text::FieldError;

use super::sample;
use crate::{
    button::{Button, ButtonTone, LinkButton},
    confirm::ConfirmForm,
    form::{Choice, Choices, FieldErrors, FormActions, Select, TextArea, TextField},
    icon::Icon,
    page::Section,
};

/// What people press and fill in.
#[component]
pub fn Controls() -> impl IntoView {
    let buttons = ButtonTone::ALL
        .iter()
        .map(|tone| view! { <Button tone=*tone>{format!("{tone:?}")}</Button> })
        .collect_view();
    view! {
        <Section title="Buttons" id="control-buttons">
            <div class="gallery-row">{buttons}</div>
            <div class="gallery-row">
                <Button tone=ButtonTone::Go icon=Icon::Play>
                    "Release batch 1"
                </Button>
                <Button tone=ButtonTone::Danger icon=Icon::Undo>
                    "Roll back"
                </Button>
                <LinkButton href="#controls" icon=Icon::Arrow>
                    "Follow"
                </LinkButton>
            </div>
            <Button tone=ButtonTone::Go icon=Icon::Check id="gallery-approve" allowance=sample::refused()>
                "Approve"
            </Button>
        </Section>
        <Section title="Decisions" id="control-decisions">
            <div class="actions">
                <ConfirmForm
                    id="gallery-pause"
                    label="Pause"
                    icon=Icon::Pause
                    explanation="Nothing new starts; a playbook under way finishes."
                    action="#"
                    fields=vec![("rollout", "1".to_owned())]
                />
                <ConfirmForm
                    id="gallery-abort"
                    label="Abort"
                    icon=Icon::Stop
                    tone=ButtonTone::Danger
                    explanation="Ends the job under way. Hosts stay as they are."
                    action="#"
                    fields=vec![]
                    allowance=sample::refused()
                />
                <ConfirmForm
                    id="gallery-roll-back"
                    label="Roll back"
                    icon=Icon::Undo
                    tone=ButtonTone::Danger
                    explanation="Brings every touched host back to the version it ran before."
                    action="#"
                    fields=vec![]
                    reason="no"
                    error=Some("Give a reason of 3 to 1,000 characters: it is kept with the decision.".to_owned())
                />
            </div>
        </Section>
        <Section title="Form" id="control-form">
            <Fields />
        </Section>
    }
}

#[component]
fn Fields() -> impl IntoView {
    let error = |field: &str, message: &str| FieldError::new(field, message);
    let slug = "“Check Out” cannot be used as a short name. Start with a letter and use lower-case letters, digits and hyphens.";
    let team = "Choose the team that owns the service.";
    view! {
        <form class="form" method="post" action="#">
            <FieldErrors errors=vec![error("slug", slug), error("team", team)] />
            <div class="form-grid">
                <TextField name="name" label="Name" value="Checkout" hint="What people call it." />
                <TextField name="slug" label="Short name" value="Check Out" hint="Used in addresses, tags and paths." error=Some(slug.to_owned()) mono=true />
                <Select
                    name="team"
                    label="Team"
                    choices=vec![Choice::new("payments", "Payments", ""), Choice::new("search", "Search", "")]
                    error=Some(team.to_owned())
                />
                <Select name="environment" label="Environment" value="production" choices=vec![Choice::new("production", "Production", "")] />
                <TextField name="repository" label="Repository" kind="url" required=false />
            </div>
            <TextArea name="query" label="Latency query" value="avg:slipway_demo.latency_ms{service:checkout} by {host}" hint="As Datadog writes it, ending with “by {host}”." mono=true rows=2 />
            <Choices
                name="gate"
                label="Who lets a batch through its gate?"
                value="automatic"
                choices=vec![
                    Choice::new("automatic", "Automatic", "A passing verdict promotes."),
                    Choice::new("manual", "Manual", "A person decides, whatever the verdict."),
                    Choice::new("both", "Both", "A passing verdict and a person."),
                ]
            />
            <FormActions>
                <Button tone=ButtonTone::Primary>"Onboard the service"</Button>
                <LinkButton href="#control-form" tone=ButtonTone::Quiet>
                    "Cancel"
                </LinkButton>
            </FormActions>
        </form>
    }
}
