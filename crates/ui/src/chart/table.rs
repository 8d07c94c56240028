//! The numbers of a chart, for who wants or needs to read them.

use std::collections::BTreeMap;

use crate::prelude::*;
use domain::Timestamp;
use view::rollout::ChartView;

use crate::figure;

/// Rows a reader is given; of more, evenly spaced ones are taken.
const ROWS: usize = 60;

/// A folded table of a chart's values by time.
#[component]
pub(super) fn Numbers(chart: ChartView, title: String) -> impl IntoView {
    let heads = chart
        .lines
        .iter()
        .map(|line| view! { <th scope="col" class="is-number">{line.name.clone()}</th> })
        .collect_view();
    let rows = rows(&chart);
    let whole = rows.len();
    let every = whole.div_ceil(ROWS).max(1);
    let body = rows
        .into_iter()
        .step_by(every)
        .map(|(at, values)| {
            let cells = values
                .into_iter()
                .map(|value| view! { <td class="is-number">{figure::measure(value, "")}</td> })
                .collect_view();
            view! {
                <tr>
                    <th scope="row">{figure::hour_minute_second(at)}</th>
                    {cells}
                </tr>
            }
        })
        .collect_view();
    let note = (every > 1).then(|| format!("Every {every}th of {whole} points."));
    view! {
        <details class="more">
            <summary>"Numbers"</summary>
            {note.map(|note| view! { <p class="muted">{note}</p> })}
            <div class="chart-numbers">
                <table class="data-table is-plain">
                    <caption class="sr-only">{title}</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Time (UTC)"</th>
                            {heads}
                        </tr>
                    </thead>
                    <tbody>{body}</tbody>
                </table>
            </div>
        </details>
    }
}

/// Values of every line by time.
fn rows(chart: &ChartView) -> Vec<(Timestamp, Vec<Option<f64>>)> {
    let mut rows: BTreeMap<i64, Vec<Option<f64>>> = BTreeMap::new();
    for (column, line) in chart.lines.iter().enumerate() {
        for (at, value) in &line.points {
            let row = rows
                .entry(*at)
                .or_insert_with(|| vec![None; chart.lines.len()]);
            row[column] = *value;
        }
    }
    rows.into_iter()
        .filter_map(|(at, values)| Some((Timestamp::from_millisecond(at).ok()?, values)))
        .collect()
}
