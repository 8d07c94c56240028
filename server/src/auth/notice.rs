//! A page with one message, for when there is no console to show: signing in failed, or signed out.

use std::sync::LazyLock;

use axum::{
    http::{StatusCode, header},
    response::{Html, IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};

const STYLE: &str = "\
:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}\
body{margin:0;min-height:100vh;display:grid;place-items:center;background:Canvas;color:CanvasText}\
main{max-width:32rem;padding:2rem}\
h1{font-size:1.25rem;margin:0 0 .5rem}\
p{margin:0 0 1.5rem}\
a{display:inline-block;padding:.6rem 1rem;border:1px solid currentColor;border-radius:.4rem;color:inherit;text-decoration:none}\
a:focus-visible,a:hover{outline:2px solid Highlight;outline-offset:2px}";

static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    format!("default-src 'none'; style-src 'sha256-{hash}'; img-src 'self'")
});

/// The page. `action` is a link's address on this site and its words.
pub fn notice(status: StatusCode, title: &str, message: &str, action: (&str, &str)) -> Response {
    let (href, label) = action;
    let (title, message, href, label) =
        (escape(title), escape(message), escape(href), escape(label));
    let html = format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title} · Slipway</title><style>{STYLE}</style></head>\
         <body><main><h1>{title}</h1><p>{message}</p><a href=\"{href}\">{label}</a></main></body></html>"
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
