//! Line charts as SVG, drawn on the server. SVG attributes only: the content security policy forbids `style`.

mod path;
mod scale;
mod table;

use crate::prelude::*;
use domain::Timestamp;
use view::rollout::{ChartLine, ChartMarker, ChartView};

use crate::{figure, icon::Icon, verdict::dimension_label};

pub use path::spark;
pub use scale::{Axis, TimeAxis};

/// Height of the plot in CSS pixels.
const HEIGHT: f64 = 180.0;
/// Room above the plot for the flags of markers.
const TOP: f64 = 22.0;
/// Width of the stretched drawing the lines are in; percentages of it place everything else.
const WIDTH: f64 = 1000.0;
/// Line styles in the style sheet.
const STYLES: usize = 6;

/// One dimension over time: lines with their gaps, deployments marked, and the numbers as a table below.
#[component]
pub fn MetricChart(
    chart: ChartView,
    /// Unique on the page.
    #[prop(into)]
    id: String,
) -> impl IntoView {
    let title = format!("{} ({})", dimension_label(chart.dimension), chart.unit);
    let values = || {
        chart
            .lines
            .iter()
            .flat_map(|line| &line.points)
            .filter_map(|(_, value)| *value)
            .filter(|value| value.is_finite())
    };
    let body = if chart.missing.is_empty() && values().next().is_some() {
        let axis = Axis::fit(values());
        let time = TimeAxis::fit(chart.from.as_millisecond(), chart.to.as_millisecond());
        view! {
            <Plot chart=chart.clone() id=id axis time title=title.clone() />
            <table::Numbers chart=chart title=title.clone() />
        }
        .into_any()
    } else {
        let why = if chart.missing.is_empty() {
            "Nothing was measured in this time.".to_owned()
        } else {
            chart.missing
        };
        view! { <p class="chart-missing">{Icon::Slash.draw()} {why}</p> }.into_any()
    };
    view! {
        <figure class="chart">
            <figcaption class="chart-title">{title}</figcaption>
            {body}
        </figure>
    }
}

#[component]
fn Plot(chart: ChartView, id: String, axis: Axis, time: TimeAxis, title: String) -> impl IntoView {
    let (title_id, desc_id) = (format!("{id}-title"), format!("{id}-desc"));
    let (description, named_by) = (describe(&chart), format!("{title_id} {desc_id}"));
    let y = |value: f64| TOP + HEIGHT * (1.0 - axis.place(value));
    let x = |at: i64| time.place(at) * 100.0;
    let labels = axis.ticks.iter().map(|&tick| view! { <text x="100%" y=y(tick).to_string() dx="-6" dy="4" text-anchor="end">{figure::number(tick)}</text> }).collect_view();
    let rules = axis.ticks.iter().map(|&tick| view! { <line class="chart-rule" x1="0" x2="100%" y1=y(tick).to_string() y2=y(tick).to_string()></line> }).collect_view();
    let times = time
        .ticks
        .iter()
        .map(|&at| {
            let place = x(at);
            let anchor = if place > 95.0 { "end" } else { "middle" };
            view! { <text class="chart-time" x=percent(place) y=(TOP + HEIGHT + 16.0).to_string() text-anchor=anchor>{time.label(at)}</text> }
        })
        .collect_view();
    let lines = chart
        .lines
        .iter()
        .enumerate()
        .map(|(at, line)| {
            let d = path::line(&line.points, |at| time.place(at) * WIDTH, y);
            view! { <path class=line_class(at) d=d vector-effect="non-scaling-stroke"></path> }
        })
        .collect_view();
    let markers = markers(&chart.markers);
    let flags = markers
        .iter()
        .map(|(number, marker)| {
            let place = x(marker.at.as_millisecond());
            view! {
                <g class="chart-marker">
                    <line x1=percent(place) x2=percent(place) y1=TOP.to_string() y2=(TOP + HEIGHT).to_string()></line>
                    <circle cx=percent(place) cy="11" r="9"></circle>
                    <text x=percent(place) y="15" text-anchor="middle">{*number}</text>
                </g>
            }
        })
        .collect_view();
    let size = (TOP + HEIGHT + 22.0).to_string();
    view! {
        <ul class="chart-legend">{legend(&chart.lines)}</ul>
        <div class="chart-body">
            <svg class="chart-y" width="48" height=size.clone() aria-hidden="true">{labels}</svg>
            <svg class="chart-plot" width="100%" height=size role="img" aria-labelledby=named_by>
                <title id=title_id>{title}</title>
                <desc id=desc_id>{description}</desc>
                {rules}
                <svg width="100%" height=(TOP + HEIGHT).to_string() viewBox=format!("0 0 {WIDTH} {}", TOP + HEIGHT) preserveAspectRatio="none">{lines}</svg>
                {flags}
                {times}
            </svg>
        </div>
        <ol class="chart-notes">
            {markers
                .into_iter()
                .map(|(number, marker)| {
                    view! {
                        <li>
                            <span class="chart-note-number">{number}</span>
                            {marker.label}
                            <crate::TimeText at=marker.at seconds=true />
                        </li>
                    }
                })
                .collect_view()}
        </ol>
    }
}

/// The class that gives a line its colour and dashes.
fn line_class(at: usize) -> String {
    format!("chart-line chart-line-{}", at % STYLES + 1)
}

fn legend(lines: &[ChartLine]) -> impl IntoView + use<> {
    lines
        .iter()
        .enumerate()
        .map(|(at, line)| {
            view! {
                <li>
                    <svg width="26" height="10" aria-hidden="true">
                        <path class=line_class(at) d="M1 5H25"></path>
                    </svg>
                    {line.name.clone()}
                </li>
            }
        })
        .collect_view()
}

/// Markers numbered in the order of their time.
fn markers(markers: &[ChartMarker]) -> Vec<(usize, ChartMarker)> {
    let mut sorted = markers.to_vec();
    sorted.sort_by_key(|marker| marker.at);
    (1..).zip(sorted).collect()
}

fn percent(place: f64) -> String {
    format!("{place:.2}%")
}

/// What the chart shows, for who cannot see it.
fn describe(chart: &ChartView) -> String {
    let span = |at: Timestamp| figure::second(at);
    let lines = chart.lines.iter().map(|line| {
        let values: Vec<f64> = line
            .points
            .iter()
            .filter_map(|(_, value)| *value)
            .filter(|value| value.is_finite())
            .collect();
        let bounds = values
            .iter()
            .copied()
            .reduce(f64::min)
            .zip(values.iter().copied().reduce(f64::max));
        match bounds {
            Some((low, high)) => format!(
                "{}: {} to {} {}",
                line.name,
                figure::number(low),
                figure::number(high),
                chart.unit
            ),
            None => format!("{}: nothing measured", line.name),
        }
    });
    format!(
        "From {} to {}. {}.",
        span(chart.from),
        span(chart.to),
        lines.collect::<Vec<_>>().join("; ")
    )
}
