//! Every route of the console.

use leptos_meta::{Title, provide_meta_context};
use leptos_router::{
    SsrMode,
    components::{FlatRoutes, Redirect, Route, Router},
    hooks::use_location,
    path,
};
use ui::prelude::*;
use ui::{AwayBanner, NavLink, RehearsalBanner, Theme, TopNav};
use view::{access::Frame, error::ApiError};

use crate::{
    frame::{Framing, frame},
    gallery::GalleryPage,
    later::{self, Detail, Later, List, Seldom},
    load,
};

const NAV: [NavLink; 7] = [
    NavLink {
        href: "/rollouts",
        label: "Rollouts",
    },
    NavLink {
        href: "/services",
        label: "Services",
    },
    NavLink {
        href: "/projects",
        label: "Projects",
    },
    NavLink {
        href: "/environments",
        label: "Environments",
    },
    NavLink {
        href: "/jobs",
        label: "Jobs",
    },
    NavLink {
        href: "/delivery",
        label: "Delivery",
    },
    NavLink {
        href: "/audit",
        label: "Audit",
    },
];

/// The console.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    let read = Resource::new_with_options(|| (), |()| frame(), true);
    provide_context(Framing::new(read));
    view! {
        <Title formatter=|title: String| if title.is_empty() { "Slipway".to_owned() } else { format!("{title} · Slipway") } />
        <Router>
            <a class="skip-link" rel="external" href="#content">"Skip to content"</a>
            <Top read />
            <main class="content" id="content" tabindex="-1">
                <Pages />
            </main>
        </Router>
    }
}

/// What stands above every page; drawn as soon as it is known who is looking.
#[component]
fn Top(read: load::Read<Frame>) -> impl IntoView {
    let path = use_location().pathname;
    if let Some(framing) = use_context::<Framing>() {
        framing.forget_on_leaving(path);
    }
    view! {
        <Transition fallback=|| ()>
            {load::suspended(move || async move {
                let frame = read.await.unwrap_or_else(|_| Frame::nobody());
                let nav = if frame.viewer.is_some() { NAV.to_vec() } else { Vec::new() };
                view! {
                    <TopNav nav path viewer=frame.viewer theme=Theme::read(&frame.theme) />
                    <RehearsalBanner time_scale=frame.time_scale />
                    <AwayBanner />
                }
            })}
        </Transition>
    }
}

/// Every page, none of them below anything that waits: the server learns its routes from here.
#[component]
fn Pages() -> impl IntoView {
    view! {
        <FlatRoutes fallback=|| load::failed(ApiError::NotFound { message: "There is no such page. Follow a link from the menu.".to_owned() })>
            <Route path=path!("/") view=|| view! { <Redirect path="/rollouts" /> } ssr=SsrMode::Async />
            <Route path=path!("/rollouts") view=Later(|| Box::pin(later::lists(List::Rollouts))) ssr=SsrMode::Async />
            <Route path=path!("/rollouts/new") view=Later(|| Box::pin(later::seldom(Seldom::NewRollout))) ssr=SsrMode::Async />
            <Route path=path!("/rollouts/:id") view=Later(|| Box::pin(later::rollout())) ssr=SsrMode::Async />
            <Route path=path!("/rollouts/:id/trouble") view=Later(|| Box::pin(later::seldom(Seldom::Trouble))) ssr=SsrMode::Async />
            <Route path=path!("/services") view=Later(|| Box::pin(later::lists(List::Services))) ssr=SsrMode::Async />
            <Route path=path!("/services/new") view=Later(|| Box::pin(later::seldom(Seldom::Onboard))) ssr=SsrMode::Async />
            <Route path=path!("/services/:slug") view=Later(|| Box::pin(later::details(Detail::Service))) ssr=SsrMode::Async />
            <Route path=path!("/projects") view=Later(|| Box::pin(later::seldom(Seldom::Projects))) ssr=SsrMode::Async />
            <Route path=path!("/environments") view=Later(|| Box::pin(later::lists(List::Environments))) ssr=SsrMode::Async />
            <Route path=path!("/environments/:slug") view=Later(|| Box::pin(later::details(Detail::Environment))) ssr=SsrMode::Async />
            <Route path=path!("/jobs") view=Later(|| Box::pin(later::lists(List::Jobs))) ssr=SsrMode::Async />
            <Route path=path!("/jobs/:id") view=Later(|| Box::pin(later::details(Detail::Job))) ssr=SsrMode::Async />
            <Route path=path!("/delivery") view=Later(|| Box::pin(later::seldom(Seldom::Delivery))) ssr=SsrMode::Async />
            <Route path=path!("/people") view=Later(|| Box::pin(later::seldom(Seldom::People))) ssr=SsrMode::Async />
            <Route path=path!("/people/:id") view=Later(|| Box::pin(later::seldom(Seldom::Person))) ssr=SsrMode::Async />
            <Route path=path!("/tokens") view=Later(|| Box::pin(later::seldom(Seldom::Tokens))) ssr=SsrMode::Async />
            <Route path=path!("/me") view=Later(|| Box::pin(later::seldom(Seldom::Me))) ssr=SsrMode::Async />
            <Route path=path!("/audit") view=Later(|| Box::pin(later::lists(List::Audit))) ssr=SsrMode::Async />
            <Route path=path!("/ui") view=GalleryPage ssr=SsrMode::Async />
        </FlatRoutes>
    }
}
