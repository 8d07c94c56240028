//! Every route of the console.

use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::{
    SsrMode,
    components::{Redirect, Route, Router, Routes},
    hooks::use_location,
    path,
};
use ui::{AppShell, NavLink, RehearsalBanner, Theme};
use view::{access::Frame, error::ApiError};

use crate::{
    audit::list::AuditPage,
    delivery::page::DeliveryPage,
    environment::{detail::EnvironmentPage, list::EnvironmentsPage},
    form::Refused,
    frame::frame,
    gallery::GalleryPage,
    job::{detail::JobPage, list::JobsPage},
    load,
    rollout::{detail::RolloutPage, list::RolloutsPage, new::NewRolloutPage},
    service::{detail::ServicePage, list::ServicesPage, new::OnboardPage},
};

const NAV: [NavLink; 6] = [
    NavLink { href: "/rollouts", label: "Rollouts" },
    NavLink { href: "/services", label: "Services" },
    NavLink { href: "/environments", label: "Environments" },
    NavLink { href: "/jobs", label: "Jobs" },
    NavLink { href: "/delivery", label: "Delivery" },
    NavLink { href: "/audit", label: "Audit" },
];

/// The console.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    let read = Resource::new_blocking(|| (), |()| frame());
    view! {
        <Title formatter=|title: String| if title.is_empty() { "Slipway".to_owned() } else { format!("{title} · Slipway") } />
        <Router>{load::draw(read, "Slipway", |frame| view! { <Framed frame /> })}</Router>
    }
}

#[component]
fn Framed(frame: Frame) -> impl IntoView {
    let refused = RwSignal::new(frame.refusal);
    provide_context(Refused(refused));
    let path = use_location().pathname;
    // A refused form is corrected on the page that was loaded for it, not on a later visit.
    Effect::new(move |before: Option<String>| {
        let now = path.get();
        if before.is_some_and(|before| before != now) {
            refused.set(None);
        }
        now
    });
    let signed_in = frame.viewer.is_some();
    let time_scale = frame.time_scale;
    view! {
        <AppShell nav=if signed_in { NAV.to_vec() } else { Vec::new() } path viewer=frame.viewer theme=Theme::read(&frame.theme) banner=move || view! { <RehearsalBanner time_scale /> }>
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
        </AppShell>
    }
}
