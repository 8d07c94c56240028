//! The parts every page is put together from.

use crate::prelude::*;

use crate::icon::Icon;

/// One step of the way to a page; the last one is the page itself and has no address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crumb {
    pub label: String,
    pub href: Option<String>,
}

impl Crumb {
    pub fn link(label: impl Into<String>, href: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            href: Some(href.into()),
        }
    }

    pub fn here(label: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            href: None,
        }
    }
}

/// The way to this page.
#[component]
pub fn Breadcrumbs(crumbs: Vec<Crumb>) -> impl IntoView {
    let items = crumbs
        .into_iter()
        .map(|crumb| match crumb.href {
            Some(href) => view! { <li><a href=href>{crumb.label}</a></li> }.into_any(),
            None => view! { <li aria-current="page">{crumb.label}</li> }.into_any(),
        })
        .collect_view();
    view! {
        <nav class="crumbs" aria-label="Breadcrumbs">
            <ol>{items}</ol>
        </nav>
    }
}

/// Title of a page, one line below it, and what can be done here.
#[component]
pub fn PageHeader(
    #[prop(into)] title: String,
    /// One line below the title.
    #[prop(optional, into)]
    sub: ViewFn,
    /// Beside the title: a state badge.
    #[prop(optional, into)]
    badge: ViewFn,
    /// Buttons at the far end.
    #[prop(optional, into)]
    actions: ViewFn,
    #[prop(optional)] crumbs: Vec<Crumb>,
) -> impl IntoView {
    view! {
        <header class="page-header">
            {(!crumbs.is_empty()).then(|| view! { <Breadcrumbs crumbs /> })}
            <div class="page-header-line">
                <div class="page-header-title">
                    <h1>{title}</h1>
                    {move || badge.run()}
                </div>
                <div class="page-header-actions">{actions.run()}</div>
            </div>
            <div class="page-header-sub">{sub.run()}</div>
        </header>
    }
}

/// A card with a heading.
#[component]
pub fn Section(
    #[prop(into)] title: String,
    /// Anchor of the section; its heading names the region.
    #[prop(into)]
    id: String,
    /// At the far end of the heading: a count, a link.
    #[prop(optional, into)]
    aside: ViewFn,
    /// Content reaches the edges: tables, logs.
    #[prop(optional)]
    flush: bool,
    children: Children,
) -> impl IntoView {
    let heading = format!("{id}-title");
    view! {
        <section class="panel" id=id aria-labelledby=heading>
            <header class="panel-header">
                <h2 id=heading.clone()>{title}</h2>
                <div class="panel-aside">{aside.run()}</div>
            </header>
            <div class=if flush { "panel-body is-flush" } else { "panel-body" }>{children()}</div>
        </section>
    }
}

/// One tab: a link to the page with that tab open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tab {
    pub label: String,
    pub href: String,
    pub open: bool,
}

/// Tabs that are links, so that each has an address.
#[component]
pub fn Tabs(#[prop(into)] label: String, tabs: Vec<Tab>) -> impl IntoView {
    let items = tabs
        .into_iter()
        .map(|tab| view! { <li><a href=tab.href aria-current=tab.open.then_some("page")>{tab.label}</a></li> })
        .collect_view();
    view! {
        <nav class="tab-links" aria-label=label>
            <ul>{items}</ul>
        </nav>
    }
}

/// Turns the pages of a list; addresses carry the cursor.
#[component]
pub fn Pager(
    /// Rows on this page.
    shown: usize,
    /// What they are, in the plural: “rollouts”.
    #[prop(into)]
    what: String,
    /// Address of the first page; `None` on the first page.
    first: Option<String>,
    /// Address of the next page; `None` on the last.
    next: Option<String>,
) -> impl IntoView {
    let whole = first.is_none() && next.is_none();
    let text = if whole && shown == 1 {
        "This is the only one".to_owned()
    } else if whole {
        format!("All {shown} {what}")
    } else {
        format!("{shown} {what} on this page")
    };
    view! {
        <nav class="pager" aria-label=format!("Pages of {what}")>
            <span class="muted">{text}</span>
            <span class="pager-links">
                {first.map(|href| view! { <a class="btn btn-plain btn-sm" href=href>"Newest"</a> })}
                {next.map(|href| view! { <a class="btn btn-plain btn-sm" href=href rel="next">"Older" {Icon::Chevron.draw()}</a> })}
            </span>
        </nav>
    }
}
