//! The document around every page, and what the browser may load on it.

use axum::http::{HeaderValue, header, request::Parts};
use leptos::nonce::use_nonce;
use leptos_axum::ResponseOptions;
use leptos_meta::{HashedStylesheet, MetaTags};
use ui::Theme;
use ui::prelude::*;

use crate::App;

/// The document around every page.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    restrict(&options);
    view! {
        <!DOCTYPE html>
        <html lang="en" data-theme=chosen_theme().attribute()>
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="light dark"/>
                <link rel="icon" href="/favicon.svg" type="image/svg+xml"/>
                <AutoReload options=options.clone()/>
                <HydrationScripts options=options.clone()/>
                <HashedStylesheet id="style" options/>
                <MetaTags/>
            </head>
            <body>
                <App/>
            </body>
        </html>
    }
}

/// Sets the content security policy: only scripts that carry this response's nonce run.
fn restrict(options: &LeptosOptions) {
    let (Some(response), Some(nonce)) = (use_context::<ResponseOptions>(), use_nonce()) else {
        return;
    };
    // `make dev` tells pages over a socket of its own that they are to be loaded again; Leptos asks the same variable.
    let reload = match std::env::var("LEPTOS_WATCH") {
        Ok(_) => format!(" ws://{}:{}", options.site_addr.ip(), options.reload_port),
        Err(_) => String::new(),
    };
    let policy = format!(
        "default-src 'self'; script-src 'nonce-{nonce}' 'strict-dynamic' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; \
         connect-src 'self'{reload}; form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'"
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        response.insert_header(header::CONTENT_SECURITY_POLICY, policy);
    }
}

/// The theme the person chose, from its cookie.
pub(crate) fn chosen_theme() -> Theme {
    let cookies = use_context::<Parts>()
        .and_then(|parts| Some(parts.headers.get(header::COOKIE)?.to_str().ok()?.to_owned()));
    let word = cookies
        .iter()
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
        .find_map(|(name, word)| (name == Theme::COOKIE).then_some(word));
    Theme::read(word.unwrap_or_default())
}
