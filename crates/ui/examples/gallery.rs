//! Prints the gallery as a page that needs no server: `gallery [light|dark] [href of the style sheet]`.

use leptos::prelude::*;
use ui::{Theme, gallery::GalleryPage};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let theme = Theme::read(&arguments.next().unwrap_or_default());
    let style = arguments.next().unwrap_or_else(|| "main.css".to_owned());
    let page = Owner::new().with(|| view! { <GalleryPage theme /> }.to_html());
    let attribute = theme
        .attribute()
        .map(|word| format!(" data-theme=\"{word}\""))
        .unwrap_or_default();
    println!(
        "<!DOCTYPE html><html lang=\"en\"{attribute}><head><meta charset=\"utf-8\"><title>Gallery</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><link rel=\"stylesheet\" href=\"{style}\"></head>\
         <body>{page}</body></html>"
    );
}
