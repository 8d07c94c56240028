use crate::prelude::*;

use crate::{
    badge::{StateBadge, Tag},
    icon::Icon,
    page::Section,
    state::Noun,
    table::{Cell, Column, DataTable},
    tone::Tone,
};

/// Every state word, tone and icon.
#[component]
pub fn States() -> impl IntoView {
    let nouns = Noun::ALL
        .iter()
        .map(|noun| {
            let rows = noun
                .looks()
                .iter()
                .map(|look| {
                    view! {
                        <tr>
                            <Cell head=true>
                                <StateBadge look=*look />
                            </Cell>
                            <Cell>{look.hint}</Cell>
                        </tr>
                    }
                })
                .collect_view();
            let id = format!("states-{}", noun.label().to_lowercase().replace(' ', "-"));
            view! {
                <Section title=noun.label() id flush=true>
                    <DataTable caption=format!("States of a {}", noun.label().to_lowercase()) columns=vec![Column::text("State"), Column::text("Meaning")]>
                        {rows}
                    </DataTable>
                </Section>
            }
        })
        .collect_view();
    let tags = Tone::ALL
        .iter()
        .map(|tone| view! { <Tag text=format!("{tone:?}") tone=*tone /> })
        .collect_view();
    let icons = Icon::ALL
        .iter()
        .map(|icon| view! { <li>{icon.draw()} <span>{format!("{icon:?}")}</span></li> })
        .collect_view();
    view! {
        <div class="gallery-columns">{nouns}</div>
        <Section title="Tones and tags" id="states-tones">
            <div class="gallery-row">{tags}</div>
        </Section>
        <Section title="Icons" id="states-icons">
            <ul class="gallery-icons">{icons}</ul>
        </Section>
    }
}
