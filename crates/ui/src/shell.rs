//! The frame around every page.

use crate::prelude::*;
use leptos::html;
use view::access::Viewer;

use crate::{icon::Icon, theme::Theme};

/// One link of the main navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NavLink {
    pub href: &'static str,
    pub label: &'static str,
}

impl NavLink {
    /// Whether the page at `path` belongs to this link.
    pub fn holds(self, path: &str) -> bool {
        match path.strip_prefix(self.href) {
            Some(rest) => {
                rest.is_empty()
                    || rest.starts_with('/')
                    || self.href.ends_with('/') && self.href.len() > 1
            }
            None => false,
        }
    }
}

/// Top bar, banner and main content.
#[component]
pub fn AppShell(
    nav: Vec<NavLink>,
    /// Path of the page shown.
    #[prop(into)]
    path: Signal<String>,
    viewer: Option<Viewer>,
    #[prop(optional)] theme: Theme,
    /// Across the whole width below the top bar.
    #[prop(optional, into)]
    banner: ViewFn,
    children: Children,
) -> impl IntoView {
    view! {
        <a class="skip-link" rel="external" href="#content">"Skip to content"</a>
        <TopNav nav path viewer theme />
        {banner.run()}
        <main class="content" id="content" tabindex="-1">{children()}</main>
    }
}

/// Brand, navigation, and the menu of the person. On a narrow screen the navigation is a pop-over, without JavaScript.
#[component]
pub fn TopNav(
    nav: Vec<NavLink>,
    #[prop(into)] path: Signal<String>,
    viewer: Option<Viewer>,
    #[prop(optional)] theme: Theme,
    /// Where signing in starts.
    #[prop(default = "/auth/login")]
    sign_in: &'static str,
    /// Where signing out posts to.
    #[prop(default = "/auth/logout")]
    sign_out: &'static str,
) -> impl IntoView {
    let menu = NodeRef::<html::Nav>::new();
    let person = NodeRef::<html::Details>::new();
    // Going to another page in the browser keeps the document; what was open has to be closed by hand.
    Effect::new(move |before: Option<String>| {
        let now = path.get();
        if before.is_some_and(|before| before != now) {
            if let Some(menu) = menu.get_untracked() {
                // Taking the attribute away closes a pop-over; bringing it back makes it one again. Neither can fail here.
                let _ = menu.remove_attribute("popover");
                let _ = menu.set_attribute("popover", "auto");
            }
            if let Some(person) = person.get_untracked() {
                person.set_open(false);
            }
        }
        now
    });
    let has_nav = !nav.is_empty();
    let links = nav
        .into_iter()
        .map(|link| view! { <li><a href=link.href aria-current=move || path.try_with(|path| link.holds(path)).unwrap_or_default().then_some("page")>{link.label}</a></li> })
        .collect_view();
    view! {
        <header class="top">
            <a class="brand" href="/">
                <Logo />
                "Slipway"
            </a>
            {has_nav
                .then(|| {
                    view! {
                        <button class="btn btn-ghost btn-sm md:hidden" type="button" popovertarget="main-nav">
                            {Icon::Menu.draw()}
                            "Menu"
                        </button>
                        <nav class="top-nav" id="main-nav" popover="auto" aria-label="Main" node_ref=menu>
                            <ul>{links}</ul>
                        </nav>
                    }
                })}
            {match viewer {
                None => {
                    view! {
                        <div class="top-person">
                            <ThemeSwitch theme />
                            <a class="btn btn-primary btn-sm" href=sign_in rel="external">"Sign in"</a>
                        </div>
                    }
                        .into_any()
                }
                Some(viewer) => {
                    view! {
                        <details class="top-person menu-person" node_ref=person>
                            <summary class="btn btn-ghost btn-sm">
                                {Icon::Person.draw()}
                                <span class="menu-name">{viewer.name.clone()}</span>
                            </summary>
                            <div class="menu-panel">
                                <p class="menu-who">{viewer.name}</p>
                                <p class="menu-roles">{viewer.roles.join(" · ")}</p>
                                <ul class="menu-links">
                                    <li><a href="/me">"Your roles and sessions"</a></li>
                                    {viewer.people.allowed().then(|| view! { <li><a href="/people">"People"</a></li> })}
                                </ul>
                                <ThemeSwitch theme />
                                <form method="post" action=sign_out>
                                    <button class="btn btn-plain btn-sm" type="submit">"Sign out"</button>
                                </form>
                            </div>
                        </details>
                    }
                        .into_any()
                }
            }}
        </header>
    }
}

/// Chooses the theme: posts `theme` (`system`, `light`, `dark`), and the server sets the cookie and sends back.
#[component]
pub fn ThemeSwitch(
    #[prop(optional)] theme: Theme,
    #[prop(default = "/theme")] action: &'static str,
) -> impl IntoView {
    let choices = Theme::ALL
        .iter()
        .map(|&choice| {
            let (icon, label) = match choice {
                Theme::System => (Icon::Screen, "Theme of the system"),
                Theme::Light => (Icon::Sun, "Light theme"),
                Theme::Dark => (Icon::Moon, "Dark theme"),
            };
            let pressed = if choice == theme { "true" } else { "false" };
            view! {
                <button type="submit" name="theme" value=choice.word() aria-pressed=pressed aria-label=label title=label>
                    {icon.draw()}
                </button>
            }
        })
        .collect_view();
    view! { <form class="theme-switch" method="post" action=action>{choices}</form> }
}

/// The mark: a hull on its way down the slip.
#[component]
fn Logo() -> impl IntoView {
    view! {
        <svg class="logo" viewBox="0 0 24 24" aria-hidden="true">
            <path class="logo-hull" d="M4.2 6.2 20.6 11l-2.5 4.3a2 2 0 0 1-2.3.9L6.4 13.4a2 2 0 0 1-1.4-1.5z"></path>
            <path class="logo-slip" d="M2.5 16.2 21.5 21.5"></path>
        </svg>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_holds_the_pages_below_it() {
        let link = NavLink {
            href: "/rollouts",
            label: "Rollouts",
        };
        assert!(link.holds("/rollouts") && link.holds("/rollouts/1"));
        assert!(!link.holds("/rollouts-old") && !link.holds("/") && !link.holds("/services"));
        let home = NavLink {
            href: "/",
            label: "Home",
        };
        assert!(home.holds("/") && !home.holds("/services"));
    }
}
