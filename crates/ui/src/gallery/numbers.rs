use crate::prelude::*;

use super::sample;
use crate::{
    chart::MetricChart,
    icon::Icon,
    page::Section,
    stat::{Sparkline, Stat, Stats},
    tone::Tone,
};

/// Headline numbers and charts.
#[component]
pub fn Numbers() -> impl IntoView {
    let spark = [4, 6, 5, 8, 7, 0, 0, 9, 12, 11, 14].map(|n| (n > 0).then(|| f64::from(n)));
    view! {
        <Stats>
            <Stat label="Deployments" value="24" note="in the last 30 days" icon=Icon::Deploy tone=Tone::Active />
            <Stat label="Change fail rate" value="12.5 %" note="3 of 24 deployments" icon=Icon::Undo tone=Tone::Warn />
            <Stat label="Recovery time" value="41 s" note="median of 3 roll backs" icon=Icon::Clock tone=Tone::Good />
            <Stat label="Lead time" value="—" note="nothing to compute it from yet" />
        </Stats>
        <div class="gallery-columns">
            <Section title="Latency" id="numbers-latency">
                <MetricChart chart=sample::latency() id="chart-latency" />
            </Section>
            <Section title="Error rate" id="numbers-errors">
                <MetricChart chart=sample::errors() id="chart-errors" />
            </Section>
            <Section title="Six lines" id="numbers-six">
                <MetricChart chart=sample::six_lines() id="chart-six" />
            </Section>
            <Section title="No data" id="numbers-none">
                <MetricChart chart=sample::no_chart() id="chart-none" />
                <div class="gallery-row">
                    <Sparkline points=spark.to_vec() label="Deployments per day, rising from 4 to 14" />
                    <span class="muted">"A line without axes; gaps stay gaps."</span>
                </div>
            </Section>
        </div>
    }
}
