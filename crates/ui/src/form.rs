//! Form fields: label, hint, error and value, tied together by ids.

use crate::prelude::*;
use domain::text::FieldError;

use crate::icon::Icon;

/// Label, hint and error around a control; gives the control its id and `aria-describedby`.
fn field(
    id: String,
    label: String,
    hint: Option<String>,
    error: Option<String>,
    required: bool,
    control: impl FnOnce(String, Option<String>, Option<&'static str>) -> AnyView,
) -> impl IntoView {
    let hint_id = hint.as_ref().map(|_| format!("{id}-hint"));
    let error_id = error.as_ref().map(|_| format!("{id}-error"));
    let described = [&error_id, &hint_id]
        .into_iter()
        .flatten()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(" ");
    let described = (!described.is_empty()).then_some(described);
    let invalid = error.is_some().then_some("true");
    let class = if error.is_some() {
        "field is-invalid"
    } else {
        "field"
    };
    view! {
        <div class=class>
            <label for=id.clone()>
                {label} " " {(!required).then(|| view! { <span class="field-optional">"optional"</span> })}
            </label>
            {control(id, described, invalid)}
            {error.map(|error| view! { <p class="field-error" id=error_id>{Icon::Octagon.draw()} {error}</p> })}
            {hint.map(|hint| view! { <p class="field-hint" id=hint_id>{hint}</p> })}
        </div>
    }
}

/// One line of text.
#[component]
pub fn TextField(
    #[prop(into)] name: String,
    #[prop(into)] label: String,
    #[prop(optional, into)] value: String,
    #[prop(optional, into)] hint: Option<String>,
    /// Why the value was refused.
    #[prop(optional_no_strip)]
    error: Option<String>,
    #[prop(default = true)] required: bool,
    /// Input type: `text`, `number`, `url`.
    #[prop(default = "text")]
    kind: &'static str,
    /// Fixed-width letters: queries, paths, digests.
    #[prop(optional)]
    mono: bool,
    /// Id of the control where the name is used twice on a page.
    #[prop(optional, into)]
    id: Option<String>,
    /// What is offered while typing; anything else may be typed as well.
    #[prop(optional)]
    offers: Vec<String>,
) -> impl IntoView {
    let id = id.unwrap_or_else(|| name.clone());
    let list = (!offers.is_empty()).then(|| format!("{id}-offers"));
    let offers = list.clone().map(|id| {
        let offers = offers
            .into_iter()
            .map(|offer| view! { <option value=offer /> });
        view! { <datalist id=id>{offers.collect_view()}</datalist> }
    });
    // Firefox offers nothing where completion is off.
    let autocomplete = list.is_none().then_some("off");
    field(
        id,
        label,
        hint,
        error,
        required,
        move |id, described, invalid| {
            let class = if mono { "input is-mono" } else { "input" };
            view! { <input class=class type=kind id=id name=name value=value required=required list=list aria-invalid=invalid aria-describedby=described autocomplete=autocomplete spellcheck="false" /> {offers} }
            .into_any()
        },
    )
}

/// Several lines of text.
#[component]
pub fn TextArea(
    #[prop(into)] name: String,
    #[prop(into)] label: String,
    #[prop(optional, into)] value: String,
    #[prop(optional, into)] hint: Option<String>,
    /// Why the value was refused.
    #[prop(optional_no_strip)]
    error: Option<String>,
    #[prop(default = true)] required: bool,
    #[prop(default = 3)] rows: u32,
    #[prop(optional)] mono: bool,
    /// Id of the control where the name is used twice on a page.
    #[prop(optional, into)]
    id: Option<String>,
) -> impl IntoView {
    let id = id.unwrap_or_else(|| name.clone());
    field(
        id,
        label,
        hint,
        error,
        required,
        move |id, described, invalid| {
            let class = if mono { "textarea is-mono" } else { "textarea" };
            view! { <textarea class=class id=id name=name rows=rows required=required aria-invalid=invalid aria-describedby=described>{value}</textarea> }.into_any()
        },
    )
}

/// Something to choose: the value posted, what it is called, what it means.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Choice {
    pub value: String,
    pub label: String,
    /// Empty when the label says it all.
    pub hint: String,
}

impl Choice {
    pub fn new(
        value: impl Into<String>,
        label: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            value: value.into(),
            label: label.into(),
            hint: hint.into(),
        }
    }
}

/// A drop-down list; `value` is chosen.
#[component]
pub fn Select(
    #[prop(into)] name: String,
    #[prop(into)] label: String,
    choices: Vec<Choice>,
    #[prop(optional, into)] value: String,
    #[prop(optional, into)] hint: Option<String>,
    /// Why the value was refused.
    #[prop(optional_no_strip)]
    error: Option<String>,
    #[prop(default = true)] required: bool,
    /// Id of the control where the name is used twice on a page.
    #[prop(optional, into)]
    id: Option<String>,
) -> impl IntoView {
    let id = id.unwrap_or_else(|| name.clone());
    field(
        id,
        label,
        hint,
        error,
        required,
        move |id, described, invalid| {
            let unknown = choices.iter().all(|choice| choice.value != value);
            let options = choices.into_iter().map(|choice| view! { <option selected=choice.value == value value=choice.value>{choice.label}</option> }).collect_view();
            view! {
            <select class="select" id=id name=name required=required aria-invalid=invalid aria-describedby=described>
                {unknown.then(|| view! { <option value="" selected>"Choose …"</option> })}
                {options}
            </select>
        }
        .into_any()
        },
    )
}

/// A few choices, all in sight, of which one is taken.
#[component]
pub fn Choices(
    #[prop(into)] name: String,
    /// The question.
    #[prop(into)]
    label: String,
    choices: Vec<Choice>,
    #[prop(optional, into)] value: String,
    #[prop(optional, into)] hint: Option<String>,
    /// Why the value was refused.
    #[prop(optional_no_strip)]
    error: Option<String>,
    /// Id of the group where the name is used twice on a page.
    #[prop(optional, into)]
    id: Option<String>,
) -> impl IntoView {
    let id = id.unwrap_or_else(|| name.clone());
    let error_id = error.as_ref().map(|_| format!("{id}-error"));
    let class = if error.is_some() {
        "field choices is-invalid"
    } else {
        "field choices"
    };
    let items = choices
        .into_iter()
        .map(|choice| {
            view! {
                <label class="choice">
                    <input class="radio" type="radio" name=name.clone() checked=choice.value == value value=choice.value required />
                    <span class="choice-label">{choice.label}</span>
                    <span class="choice-hint">{choice.hint}</span>
                </label>
            }
        })
        .collect_view();
    view! {
        <fieldset class=class id=id aria-describedby=error_id>
            <legend>{label}</legend>
            {hint.map(|hint| view! { <p class="field-hint">{hint}</p> })}
            <div class="choices-items">{items}</div>
            {error.zip(error_id.clone()).map(|(error, id)| view! { <p class="field-error" id=id>{Icon::Octagon.draw()} {error}</p> })}
        </fieldset>
    }
}

/// What was refused, with a link to each field; nothing when nothing was.
#[component]
pub fn FieldErrors(errors: Vec<FieldError>) -> impl IntoView {
    (!errors.is_empty()).then(|| {
        let items = errors
            .into_iter()
            .map(|error| view! { <li><a href=format!("#{}", error.field)>{error.message}</a></li> })
            .collect_view();
        view! {
            <div class="notice tone-bad" role="alert">
                {Icon::Octagon.draw()}
                <div class="notice-text">
                    <p class="notice-title">"This was not accepted"</p>
                    <ul>{items}</ul>
                </div>
            </div>
        }
    })
}

/// The buttons below a form.
#[component]
pub fn FormActions(children: Children) -> impl IntoView {
    view! { <div class="form-actions">{children()}</div> }
}
