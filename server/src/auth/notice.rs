//! A page with one message, for when there is no console to show: signing in failed, or signed out.

use std::sync::LazyLock;

use axum::{
    http::{StatusCode, header},
    response::{Html, IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};

/// The colours of `style/theme.css`; the style sheet itself may be what cannot be had.
const STYLE: &str = "\
:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif;\
--ground:light-dark(oklch(97.4% .004 235),oklch(19.5% .015 245));--panel:light-dark(#fff,oklch(24% .016 245));\
--line:light-dark(oklch(90.5% .009 235),oklch(34% .018 245));--text:light-dark(oklch(25% .022 245),oklch(92.5% .008 235));\
--press:light-dark(oklch(44% .085 222),oklch(80% .095 212));--on-press:light-dark(oklch(99% .004 222),oklch(20% .03 222))}\
body{margin:0;min-height:100vh;display:grid;place-items:center;background:var(--ground);color:var(--text)}\
main{box-sizing:border-box;width:min(30rem,100% - 2rem);padding:2rem;border:1px solid var(--line);border-radius:.5rem;background:var(--panel)}\
.brand{display:flex;align-items:center;gap:.45rem;margin:0 0 1.5rem;font-weight:700;letter-spacing:-.02em}\
h1{font-size:1.25rem;line-height:1.3;margin:0 0 .5rem}\
p{margin:0 0 1.5rem}\
nav{display:flex;flex-wrap:wrap;gap:.75rem}\
a{display:inline-block;padding:.5rem 1rem;border-radius:.375rem;background:var(--press);color:var(--on-press);font-weight:600;text-decoration:none}\
a+a{background:none;color:var(--press);box-shadow:inset 0 0 0 1px var(--press)}\
a:focus-visible,a:hover{outline:2px solid var(--press);outline-offset:2px}";

static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    format!("default-src 'none'; style-src 'sha256-{hash}'; img-src 'self'")
});

/// The page. `actions` are addresses and words of links; the first is what most people want.
pub fn notice(
    status: StatusCode,
    title: &str,
    message: &str,
    actions: &[(&str, &str)],
) -> Response {
    let (title, message) = (escape(title), escape(message));
    let links: String = actions
        .iter()
        .map(|(href, label)| format!("<a href=\"{}\">{}</a>", escape(href), escape(label)))
        .collect();
    let html = format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title} · Slipway</title><link rel=\"icon\" href=\"/favicon.svg\" type=\"image/svg+xml\"><style>{STYLE}</style></head>\
         <body><main><p class=\"brand\"><img src=\"/favicon.svg\" alt=\"\" width=\"24\" height=\"24\">Slipway</p><h1>{title}</h1><p>{message}</p><nav>{links}</nav></main></body></html>"
    );
    (
        status,
        [(header::CONTENT_SECURITY_POLICY, POLICY.as_str())],
        Html(html),
    )
        .into_response()
}

fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}
