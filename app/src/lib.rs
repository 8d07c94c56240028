//! Pages, routes and thin server functions. A page never decides.

pub mod audit;
#[cfg(feature = "hydrate")]
mod away;
#[cfg(feature = "ssr")]
pub mod context;
pub mod delivery;
pub mod environment;
pub mod error;
pub mod form;
pub mod frame;
pub mod gallery;
pub mod job;
mod later;
pub mod live;
mod load;
mod narrow;
pub mod person;
pub mod project;
pub mod rollout;
mod routes;
pub mod service;
#[cfg(feature = "ssr")]
mod shell;
pub mod token;
pub mod variable;
mod wire;

pub use routes::App;
#[cfg(feature = "ssr")]
pub use shell::shell;

/// Takes over the page the server rendered.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    away::keep_forms();
    leptos::mount::hydrate_lazy(App);
}
