//! What may be pressed on a rollout and on its batches.

use domain::id::RolloutId;
use ui::prelude::*;
use ui::{
    Alert, Button, ButtonTone, Choice, Choices, Confirm, ConfirmForm, ReasonField, TextField, Tone,
};
use view::{
    access::Allowance,
    rollout::{BatchActions, RolloutActions},
};

use crate::form::typed;

fn fields(
    id: RolloutId,
    version: i64,
    more: Vec<(&'static str, String)>,
) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("input[rollout]", id.to_string()),
        ("input[decision_version]", version.to_string()),
    ];
    fields.extend(more);
    fields
}

fn hidden(fields: Vec<(&'static str, String)>) -> impl IntoView {
    fields
        .into_iter()
        .map(|(name, value)| view! { <input type="hidden" name=name value=value /> })
        .collect_view()
}

/// A decision without a reason: one press.
fn press(
    form: &'static str,
    label: &'static str,
    tone: ButtonTone,
    allowance: Allowance,
    fields: Vec<(&'static str, String)>,
) -> impl IntoView {
    let error = typed(form)
        .error()
        .map(|message| view! { <Alert tone=Tone::Bad title="Nothing was done">{message}</Alert> });
    allowance.offered().then(|| {
        view! {
            <form method="post" action=format!("/api/rollout/{form}") id=form>
                {hidden(fields)}
                <Button id=format!("{form}-button") tone allowance>{label}</Button>
                {error}
            </form>
        }
    })
}

/// A decision with a reason.
fn reasoned(
    form: String,
    action: &'static str,
    label: &'static str,
    explanation: &'static str,
    tone: ButtonTone,
    allowance: Allowance,
    fields: Vec<(&'static str, String)>,
) -> impl IntoView {
    let typed = typed(&form);
    let (reason, error) = (typed.value("reason", ""), typed.error());
    view! { <ConfirmForm id=form label explanation action=format!("/api/rollout/{action}") fields tone allowance reason reason_name="input[reason]" error /> }
}

/// What may be pressed on the rollout as a whole.
pub fn rollout_actions(
    id: RolloutId,
    version: i64,
    digest: String,
    stuck: String,
    actions: RolloutActions,
) -> impl IntoView {
    let plain = move || fields(id, version, vec![]);
    let with_digest = fields(id, version, vec![("input[digest]", digest)]);
    let pausing = typed("pause");
    let pause_fields = hidden(plain());
    view! {
        <div class="actions">
            {press("approve", "Approve this plan", ButtonTone::Go, actions.approve, with_digest)}
            {reasoned("reject".into(), "reject", "Reject", "The rollout ends; nothing was touched.", ButtonTone::Danger, actions.reject, plain())}
            {press("release", "Release batch 1", ButtonTone::Go, actions.release, plain())}
            {press("dry_run", "Dry run", ButtonTone::Plain, actions.dry_run, plain())}
            {press("resume", "Resume", ButtonTone::Go, actions.resume, plain())}
            <Confirm id="pause" label="Pause" allowance=actions.pause open=pausing.error().is_some()>
                <form method="post" action="/api/rollout/pause">
                    {pause_fields}
                    <p class="confirm-text">"What runs on hosts goes on; nothing new starts."</p>
                    <Choices
                        name="input[bake]"
                        label="The bake"
                        value=pausing.value("bake", "stops")
                        choices=vec![Choice::new("stops", "Stops", "Goes on where it was when resumed"), Choice::new("runs", "Runs on", "The batch is watched meanwhile")]
                    />
                    <ReasonField id="pause-reason" name="input[reason]" value=pausing.value("reason", "") error=pausing.error() />
                    <Button>"Pause"</Button>
                </form>
            </Confirm>
            {exclude(id, version, stuck, actions.exclude)}
            {reasoned("abort".into(), "abort", "Abort", "Stops what runs. Hosts stay as they are.", ButtonTone::Danger, actions.abort, plain())}
            {roll_back(id, version, actions.roll_back)}
            {reasoned("recover".into(), "recover", "Record a recovery", "You brought the hosts right by other means; say how that is known.", ButtonTone::Plain, actions.recover, plain())}
            {reasoned("withdraw".into(), "withdraw", "Withdraw", "The rollout ends; nothing was touched.", ButtonTone::Plain, actions.withdraw, plain())}
        </div>
    }
}

/// Goes on without some hosts; the first of those that keep a batch waiting are filled in.
pub fn exclude(id: RolloutId, version: i64, stuck: String, allowance: Allowance) -> impl IntoView {
    let typed = typed("exclude");
    let fields = hidden(fields(id, version, vec![]));
    let hosts = typed.value("hosts", &stuck);
    view! {
        <Confirm id="exclude" label="Exclude hosts" allowance open=typed.error().is_some()>
            <form method="post" action="/api/rollout/exclude">
                {fields}
                <p class="confirm-text">"The rollout goes on without them. Slipway leaves them as they are: a roll back will not reach them either."</p>
                {typed.other_error(&["hosts", "reason"]).map(|error| view! { <Alert tone=Tone::Bad title="Nothing was done">{error.message()}</Alert> })}
                <TextField name="input[hosts]" id="exclude-hosts" label="Hosts" value=hosts error=typed.field_error("hosts") hint="Names, separated by spaces. The first that keep a batch waiting are filled in." required=true mono=true />
                <ReasonField id="exclude-reason" name="input[reason]" value=typed.value("reason", "") error=typed.field_error("reason") />
                <Button tone=ButtonTone::Danger>"Exclude"</Button>
            </form>
        </Confirm>
    }
}

/// Brings every touched host back.
pub fn roll_back(id: RolloutId, version: i64, allowance: Allowance) -> impl IntoView {
    reasoned(
        "roll_back".into(),
        "roll_back",
        "Roll back",
        "Every touched host gets the version back that it ran before; excluded ones stay as they are.",
        ButtonTone::Danger,
        allowance,
        fields(id, version, vec![]),
    )
}

/// What a batch needs to draw its decisions: number, state, message, and what may be pressed.
pub type Deciding = (u32, String, String, BatchActions);

/// What may be decided on batches that wait for a person. `hosts` is the page that says more of the hosts they wait for.
pub fn batch_actions(
    id: RolloutId,
    version: i64,
    batches: Vec<Deciding>,
    hosts: Option<String>,
) -> impl IntoView {
    batches
        .into_iter()
        .filter(|(.., actions)| actions.offered())
        .map(|(number, state, message, actions)| {
            let BatchActions { decide, retry, ask, extend } = actions;
            let plain = move || fields(id, version, vec![("input[batch]", number.to_string())]);
            let deciding = move |decision: &str| fields(id, version, vec![("input[batch]", number.to_string()), ("input[decision]", decision.to_owned())]);
            let (tone, title, retry_label) = match state.as_str() {
                "gate" => (Tone::Waiting, format!("Go or no-go for batch {number}?"), ""),
                "backing_off" => (Tone::Warn, format!("Batch {number} is tried again by itself"), "Try again now"),
                _ => (Tone::Waiting, format!("Batch {number} waits for a person"), "Retry unfinished hosts"),
            };
            let look = hosts.clone().filter(|_| retry.offered()).map(|href| view! { <p><a href=href>"What was last seen of these hosts"</a></p> });
            let extend_id = format!("extend-{number}");
            let extending = typed(&extend_id);
            let pressed = |kind: &str, label: &'static str, tone: ButtonTone, allowance: Allowance| allowance.offered().then(|| {
                let id = format!("{kind}-{number}");
                let error = typed(&id).error().map(|message| view! { <Alert tone=Tone::Bad title="Nothing was done">{message}</Alert> });
                view! {
                    <form method="post" action=format!("/api/rollout/{kind}") id=id.clone()>
                        {hidden(plain())}
                        <Button id=format!("{id}-button") tone allowance>{label}</Button>
                        {error}
                    </form>
                }
            });
            let ask_form = pressed("ask", "Ask the hosts again", ButtonTone::Plain, ask);
            let retry_form = pressed("retry", retry_label, ButtonTone::Go, retry);
            let extend_fields = hidden(plain());
            view! {
                <Alert tone title>
                    {(!message.is_empty()).then(|| view! { <p>{message}</p> })}
                    {look}
                    <div class="actions">
                        {reasoned(format!("go-{number}"), "decide", "Go", "The batch is promoted and the next one starts.", ButtonTone::Go, decide.clone(), deciding("go"))}
                        {reasoned(format!("no_go-{number}"), "decide", "No-go", "Every touched host is rolled back; excluded ones stay as they are.", ButtonTone::Danger, decide, deciding("no_go"))}
                        {ask_form}
                        {retry_form}
                        <Confirm id=extend_id.clone() label="Watch longer" allowance=extend open=extending.error().is_some()>
                            <form method="post" action="/api/rollout/extend">
                                {extend_fields}
                                <TextField name="input[extend]" id=format!("{extend_id}-time") label="How much longer" value=extending.value("extend", "24h") error=extending.field_error("extend") />
                                <ReasonField id=format!("{extend_id}-reason") name="input[reason]" value=extending.value("reason", "") error=extending.field_error("reason") />
                                <Button>"Watch longer"</Button>
                            </form>
                        </Confirm>
                    </div>
                </Alert>
            }
        })
        .collect_view()
}
