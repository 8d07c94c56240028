//! A verdict with the numbers it was reached from.

use crate::prelude::*;
use domain::verdict::{Dimension, Measurement, Verdict};

use crate::{
    badge::StateBadge,
    figure,
    state::Look,
    table::{Cell, Column, DataTable},
    text::TimeText,
};

/// The outcome, each measurement beside its baseline and limit, and the queries to repeat it with.
#[component]
pub fn VerdictCard(
    verdict: Verdict,
    #[prop(default = "Verdict".to_owned(), into)] title: String,
) -> impl IntoView {
    let look = Look::verdict(verdict.outcome);
    let columns = vec![
        Column::text("Measured"),
        Column::text("Outcome"),
        Column::number("Baseline"),
        Column::number("Now"),
        Column::number("Limit"),
        Column::number("Samples"),
        Column::number("p"),
    ];
    let measured = !verdict.measurements.is_empty();
    let rows = verdict.measurements.into_iter().map(row).collect_view();
    let queries = verdict.queries;
    view! {
        <div class=format!("verdict {}", look.tone.class())>
            <p class="verdict-head">
                <strong>{title}</strong>
                <StateBadge look />
                <span class="muted">{look.hint}</span>
                <TimeText at=verdict.at seconds=true />
            </p>
            {if measured {
                view! {
                    <DataTable caption="Measurements behind the verdict" columns>
                        {rows}
                    </DataTable>
                }
                    .into_any()
            } else {
                view! { <p class="verdict-empty">"There is no measurement at all."</p> }.into_any()
            }}
            {(!queries.is_empty())
                .then(|| {
                    view! {
                        <details class="more">
                            <summary>"Queries"</summary>
                            <ul class="queries">{queries.into_iter().map(|query| view! { <li><code>{query}</code></li> }).collect_view()}</ul>
                        </details>
                    }
                })}
        </div>
    }
}

fn row(measurement: Measurement) -> impl IntoView {
    let Measurement {
        dimension,
        outcome,
        unit,
        baseline,
        measured,
        limit,
        baseline_samples,
        measured_samples,
        p_value,
        explanation,
    } = measurement;
    let bound = if dimension == Dimension::Liveness {
        "≥ "
    } else {
        "≤ "
    };
    let limit = limit.map_or_else(
        || "—".to_owned(),
        |limit| format!("{bound}{}", figure::measure(Some(limit), &unit)),
    );
    let (baseline, now) = (
        figure::measure(baseline, &unit),
        figure::measure(measured, &unit),
    );
    let samples = format!(
        "{} / {}",
        figure::number(f64::from(baseline_samples)),
        figure::number(f64::from(measured_samples))
    );
    view! {
        <tr>
            <Cell head=true>{dimension_label(dimension)} <span class="explanation">{explanation}</span></Cell>
            <Cell label="Outcome">
                <StateBadge look=Look::verdict(outcome) />
            </Cell>
            <Cell label="Baseline" numeric=true>{baseline}</Cell>
            <Cell label="Now" numeric=true>
                <strong>{now}</strong>
            </Cell>
            <Cell label="Limit" numeric=true>{limit}</Cell>
            <Cell label="Samples (baseline / now)" numeric=true>{samples}</Cell>
            <Cell label="p" numeric=true>{p_value.map_or_else(|| "—".to_owned(), p_text)}</Cell>
        </tr>
    }
}

/// What a dimension is called.
pub const fn dimension_label(dimension: Dimension) -> &'static str {
    match dimension {
        Dimension::ErrorRate => "Error rate",
        Dimension::Latency => "Latency",
        Dimension::Liveness => "Liveness",
    }
}

fn p_text(p: f64) -> String {
    if p < 0.001 {
        "< 0.001".to_owned()
    } else {
        format!("{p:.3}")
    }
}
