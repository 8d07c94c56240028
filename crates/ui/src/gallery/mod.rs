//! Every component in every state, on one page: to look at, to compare, to test.

mod controls;
mod numbers;
mod pages;
mod rollouts;
pub(crate) mod sample;
mod states;

use crate::prelude::*;

use crate::{
    page::{PageHeader, Tab, Tabs},
    shell::{AppShell, NavLink},
    theme::Theme,
};

const NAV: &[NavLink] = &[
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
        href: "/delivery",
        label: "Delivery",
    },
    NavLink {
        href: "/audit",
        label: "Audit",
    },
];

/// The gallery inside a sample frame; for screenshots.
#[component]
pub fn GalleryPage(#[prop(optional)] theme: Theme) -> impl IntoView {
    view! {
        <AppShell nav=NAV.to_vec() path="/rollouts/1".to_owned() viewer=Some(sample::viewer()) theme>
            <Gallery />
        </AppShell>
    }
}

/// Every component in every state; goes inside the frame of the page.
#[component]
pub fn Gallery() -> impl IntoView {
    let tabs = [
        ("States", "states"),
        ("Pages", "pages"),
        ("Rollouts", "rollouts"),
        ("Numbers", "numbers"),
        ("Controls", "controls"),
    ]
    .map(|(label, id)| Tab {
        label: label.to_owned(),
        href: format!("#{id}"),
        open: id == "states",
    })
    .to_vec();
    view! {
        <PageHeader title="Components" sub=|| "Every component in every state, drawn from made-up data." />
        <Tabs label="Families of components" tabs />
        <div class="gallery" id="states">
            <states::States />
        </div>
        <div class="gallery" id="pages">
            <pages::Pages />
        </div>
        <div class="gallery" id="rollouts">
            <rollouts::Rollouts />
        </div>
        <div class="gallery" id="numbers">
            <numbers::Numbers />
        </div>
        <div class="gallery" id="controls">
            <controls::Controls />
        </div>
    }
}
