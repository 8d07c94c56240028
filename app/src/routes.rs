//! Every route of the console.

use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::{
    SsrMode,
    components::{Redirect, Route, Router, Routes},
    hooks::use_location,
    path,
};
use ui::{NavLink, RehearsalBanner, Theme, TopNav};
use view::{access::Frame, error::ApiError};

use crate::{
    audit::list::AuditPage,
    delivery::page::DeliveryPage,
    environment::{detail::EnvironmentPage, list::EnvironmentsPage},
    frame::{Framing, frame},
    gallery::GalleryPage,
    job::{detail::JobPage, list::JobsPage},
    load,
    rollout::{detail::RolloutPage, list::RolloutsPage, new::NewRolloutPage},
    service::{detail::ServicePage, list::ServicesPage, new::OnboardPage},
};

const NAV: [NavLink; 6] = [
    NavLink {
        href: "/rollouts",
        label: "Rollouts",
    },
    NavLink {
        href: "/services",
        label: "Services",
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
    let read = Resource::new_blocking(|| (), |()| frame());
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
            {move || Suspend::new(async move {
                let frame = read.await.unwrap_or_else(|_| Frame::nobody());
                let nav = if frame.viewer.is_some() { NAV.to_vec() } else { Vec::new() };
                view! {
                    <TopNav nav path viewer=frame.viewer theme=Theme::read(&frame.theme) />
                    <RehearsalBanner time_scale=frame.time_scale />
                }
            })}
        </Transition>
    }
}

/// Every page, none of them below anything that waits: the server learns its routes from here.
#[component]
fn Pages() -> impl IntoView {
    view! {
        <Routes fallback=|| load::failed(ApiError::NotFound { message: "There is no such page. Follow a link from the menu.".to_owned() })>
            <Route path=path!("/") view=|| view! { <Redirect path="/rollouts" /> } ssr=SsrMode::Async />
            <Route path=path!("/rollouts") view=RolloutsPage ssr=SsrMode::Async />
            <Route path=path!("/rollouts/new") view=NewRolloutPage ssr=SsrMode::Async />
            <Route path=path!("/rollouts/:id") view=RolloutPage ssr=SsrMode::Async />
            <Route path=path!("/services") view=ServicesPage ssr=SsrMode::Async />
            <Route path=path!("/services/new") view=OnboardPage ssr=SsrMode::Async />
            <Route path=path!("/services/:slug") view=ServicePage ssr=SsrMode::Async />
            <Route path=path!("/environments") view=EnvironmentsPage ssr=SsrMode::Async />
            <Route path=path!("/environments/:slug") view=EnvironmentPage ssr=SsrMode::Async />
            <Route path=path!("/jobs") view=JobsPage ssr=SsrMode::Async />
            <Route path=path!("/jobs/:id") view=JobPage ssr=SsrMode::Async />
            <Route path=path!("/delivery") view=DeliveryPage ssr=SsrMode::Async />
            <Route path=path!("/audit") view=AuditPage ssr=SsrMode::Async />
            <Route path=path!("/ui") view=GalleryPage ssr=SsrMode::Async />
        </Routes>
    }
}
