//! Tables that become stacked cards on a narrow screen.

use crate::prelude::*;

/// The head of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    pub label: &'static str,
    pub numeric: bool,
}

impl Column {
    /// A column of text.
    pub const fn text(label: &'static str) -> Self {
        Self {
            label,
            numeric: false,
        }
    }

    /// A column of numbers, aligned to the right.
    pub const fn number(label: &'static str) -> Self {
        Self {
            label,
            numeric: true,
        }
    }
}

/// A table; the children are its rows, `<tr>` of [`Cell`]s.
#[component]
pub fn DataTable(
    /// Says to a screen reader what the rows are.
    #[prop(into)]
    caption: String,
    columns: Vec<Column>,
    children: Children,
) -> impl IntoView {
    let heads = columns
        .into_iter()
        .map(|column| view! { <th scope="col" class=column.numeric.then_some("is-number")>{column.label}</th> })
        .collect_view();
    view! {
        <table class="data-table">
            <caption class="sr-only">{caption}</caption>
            <thead>
                <tr>{heads}</tr>
            </thead>
            <tbody>{children()}</tbody>
        </table>
    }
}

/// One cell. `label` repeats the column's on a narrow screen; an empty one takes the whole line.
#[component]
pub fn Cell(
    #[prop(optional)] label: &'static str,
    /// The cell that names the row.
    #[prop(optional)]
    head: bool,
    #[prop(optional)] numeric: bool,
    children: Children,
) -> impl IntoView {
    let class = numeric.then_some("is-number");
    if head {
        view! { <th scope="row" class=class>{children()}</th> }.into_any()
    } else {
        view! { <td class=class data-label=label>{children()}</td> }.into_any()
    }
}
