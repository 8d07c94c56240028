//! Buttons and links that look like them.

use crate::prelude::*;
use view::access::Allowance;

use crate::icon::Icon;

/// How much a button asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ButtonTone {
    #[default]
    Plain,
    /// The one thing this page or card is for.
    Primary,
    /// Lets something go out to hosts.
    Go,
    /// Stops or reverses something.
    Danger,
    /// Barely there: for rows and menus.
    Quiet,
}

impl ButtonTone {
    /// Every tone.
    pub const ALL: &[Self] = &[
        Self::Plain,
        Self::Primary,
        Self::Go,
        Self::Danger,
        Self::Quiet,
    ];

    /// The classes of a button of this tone.
    pub const fn class(self) -> &'static str {
        match self {
            Self::Plain => "btn btn-plain",
            Self::Primary => "btn btn-primary",
            Self::Go => "btn btn-success",
            Self::Danger => "btn btn-error",
            Self::Quiet => "btn btn-ghost",
        }
    }
}

/// A button of a form. What is refused is disabled and says why beside it; what is not offered is not drawn.
#[component]
pub fn Button(
    #[prop(optional)] tone: ButtonTone,
    #[prop(default = None, into)] icon: Option<Icon>,
    #[prop(default = Allowance::Allowed)] allowance: Allowance,
    /// Needed where the button may be refused: the reason is tied to it by this id.
    #[prop(optional, into)]
    id: Option<String>,
    /// Field posted by this button.
    #[prop(optional, into)]
    name: Option<String>,
    #[prop(optional, into)] value: Option<String>,
    children: Children,
) -> impl IntoView {
    allowance.offered().then(|| {
        let why_id = allowance.why().and(id.as_ref()).map(|id| format!("{id}-why"));
        let button = view! {
            <button type="submit" class=tone.class() id=id name=name value=value disabled=!allowance.allowed() aria-describedby=why_id.clone()>
                {icon.map(Icon::draw)}
                {children()}
            </button>
        };
        refusable(button, &allowance, why_id)
    })
}

/// A link that looks like a button. What is refused cannot be followed and says why beside it.
#[component]
pub fn LinkButton(
    #[prop(into)] href: String,
    #[prop(optional)] tone: ButtonTone,
    #[prop(default = None, into)] icon: Option<Icon>,
    #[prop(default = Allowance::Allowed)] allowance: Allowance,
    /// Needed where the link may be refused: the reason is tied to it by this id.
    #[prop(optional, into)]
    id: Option<String>,
    children: Children,
) -> impl IntoView {
    allowance.offered().then(|| {
        let why_id = allowance.why().and(id.as_ref()).map(|id| format!("{id}-why"));
        let content = view! {
            {icon.map(Icon::draw)}
            {children()}
        };
        if allowance.allowed() {
            view! { <a class=tone.class() id=id href=href>{content}</a> }.into_any()
        } else {
            let button = view! { <button type="button" class=tone.class() id=id disabled aria-describedby=why_id.clone()>{content}</button> };
            refusable(button, &allowance, why_id).into_any()
        }
    })
}

/// The control, followed by the reason it is refused for, if it is.
pub(crate) fn refusable(
    control: impl IntoView + 'static,
    allowance: &Allowance,
    why_id: Option<String>,
) -> AnyView {
    match allowance.why() {
        None => control.into_any(),
        Some(why) => view! {
            <span class="refused">
                {control}
                <span class="refused-why" id=why_id>{why.to_owned()}</span>
            </span>
        }
        .into_any(),
    }
}
