//! Pages whose code is not in the file every page loads. Each group below is a file of its own, which the browser fetches
//! with the first page that needs it: [ADR 0011](../../docs/adr/0011-lazy-pages.md).

use std::pin::Pin;

use leptos_router::ChooseView;
use ui::prelude::*;

use crate::{
    audit::list::AuditPage,
    delivery::page::DeliveryPage,
    environment::{detail::EnvironmentPage, list::EnvironmentsPage},
    job::{detail::JobPage, list::JobsPage},
    person::{
        detail::{MyPage, PersonPage},
        list::PeoplePage,
    },
    project::list::ProjectsPage,
    rollout::{detail::RolloutPage, list::RolloutsPage, new::NewRolloutPage, trouble::TroublePage},
    service::{detail::ServicePage, list::ServicesPage, new::OnboardPage},
    token::list::TokensPage,
};

/// Room for padding. wasm-split moves each text to the pages that use it, but only if all of them together, each group
/// padded, are no longer than before; else every page loads every text. Nothing refers to this, so it ends in no file.
#[cfg(feature = "hydrate")]
#[used]
static ROOM: [u8; 4096] = [1; 4096];

/// What a route shows once its group has arrived. A pointer, so that the router is compiled for one type.
#[derive(Clone, Copy)]
pub struct Later(pub fn() -> Arriving);

type Arriving = Pin<Box<dyn Future<Output = AnyView>>>;

impl ChooseView for Later {
    async fn choose(self) -> AnyView {
        #[cfg(feature = "ssr")]
        let needed = preload::watch();
        let page = (self.0)().await;
        #[cfg(feature = "ssr")]
        preload::announce(&needed);
        page
    }

    async fn preload(&self) {}
}

/// Tells the browser in the page's head which files the page will need. Leptos would do it after the page is drawn, when
/// it no longer knows for which request: under load the links end in somebody else's page.
#[cfg(feature = "ssr")]
mod preload {
    use leptos::{PrefetchLazyFn, WasmSplitManifest, nonce::use_nonce};
    use leptos_meta::Link;
    use ui::prelude::*;

    /// Collects the groups asked for from here on, in place of the collection Leptos looks at.
    pub fn watch() -> PrefetchLazyFn {
        let needed = PrefetchLazyFn::default();
        provide_context(needed.clone());
        needed
    }

    pub fn announce(PrefetchLazyFn(needed): &PrefetchLazyFn) {
        let Some(WasmSplitManifest(manifest)) = use_context() else {
            return;
        };
        let (needed, manifest) = (needed.read_value(), manifest.read_value());
        let (folder, modules, loader) = &*manifest;
        let nonce = use_nonce().map(|nonce| nonce.to_string());
        for module in needed
            .iter()
            .filter_map(|group| modules.get(*group))
            .flatten()
        {
            let href = format!("{folder}/{module}.wasm");
            // Drawing it puts it into the head of this request's page.
            let _ = view! { <Link rel="preload" href as_="fetch" type_="application/wasm" crossorigin=nonce.clone().unwrap_or_default() /> }.to_html();
        }
        let href = format!("{folder}/{loader}");
        let _ = view! { <Link rel="modulepreload" href crossorigin=nonce.unwrap_or_default() /> }
            .to_html();
    }
}

/// The page that is looked at most, and the largest.
#[lazy]
pub fn rollout() -> AnyView {
    view! { <RolloutPage /> }
}

/// Every list.
#[lazy]
pub fn lists(page: List) -> AnyView {
    match page {
        List::Rollouts => view! { <RolloutsPage /> },
        List::Services => view! { <ServicesPage /> },
        List::Environments => view! { <EnvironmentsPage /> },
        List::Jobs => view! { <JobsPage /> },
        List::Audit => view! { <AuditPage /> },
    }
}

/// Which list.
#[derive(Clone, Copy)]
pub enum List {
    Rollouts,
    Services,
    Environments,
    Jobs,
    Audit,
}

/// What is opened seldom.
#[lazy]
pub fn seldom(page: Seldom) -> AnyView {
    match page {
        Seldom::NewRollout => view! { <NewRolloutPage /> },
        Seldom::Onboard => view! { <OnboardPage /> },
        Seldom::Delivery => view! { <DeliveryPage /> },
        Seldom::Projects => view! { <ProjectsPage /> },
        Seldom::Trouble => view! { <TroublePage /> },
        Seldom::People => view! { <PeoplePage /> },
        Seldom::Person => view! { <PersonPage /> },
        Seldom::Me => view! { <MyPage /> },
        Seldom::Tokens => view! { <TokensPage /> },
    }
}

/// Which of them.
#[derive(Clone, Copy)]
pub enum Seldom {
    NewRollout,
    Onboard,
    Delivery,
    Projects,
    Trouble,
    People,
    Person,
    Me,
    Tokens,
}

/// One of its kind.
#[lazy]
pub fn details(page: Detail) -> AnyView {
    match page {
        Detail::Service => view! { <ServicePage /> },
        Detail::Environment => view! { <EnvironmentPage /> },
        Detail::Job => view! { <JobPage /> },
    }
}

/// One of which kind.
#[derive(Clone, Copy)]
pub enum Detail {
    Service,
    Environment,
    Job,
}
