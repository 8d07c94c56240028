use crate::prelude::*;
use domain::verdict::Outcome;
use view::rollout::BakeView;

use super::sample;
use crate::{
    batch::{BakeCountdown, BatchTimeline},
    host::HostGrid,
    log::LogView,
    page::Section,
    verdict::VerdictCard,
};

/// What a rollout is shown with.
#[component]
pub fn Rollouts() -> impl IntoView {
    let now = Signal::stored(sample::NOW);
    let quiet = domain::verdict::Verdict {
        outcome: Outcome::NoData,
        at: sample::NOW,
        measurements: vec![],
        queries: vec![],
    };
    view! {
        <Section title="Three batches, one at work" id="rollout-timeline">
            <BatchTimeline batches=sample::at_work() now />
        </Section>
        <Section title="Batches in every kind of trouble" id="rollout-trouble">
            <BatchTimeline batches=sample::in_trouble() now />
        </Section>
        <div class="gallery-columns">
            <Section title="Bake over" id="rollout-bake">
                <BakeCountdown bake=BakeView { since: sample::at(-90), until: Some(sample::at(-1)), left_ms: None } now />
            </Section>
            <Section title="Long bake" id="rollout-long-bake">
                <BakeCountdown bake=BakeView { since: sample::at(-90_000), until: Some(sample::at(82_800)), left_ms: None } now />
            </Section>
        </div>
        <Section title="Hosts, by name" id="rollout-hosts">
            <HostGrid hosts=sample::few_hosts() />
        </Section>
        <Section title="Five hundred hosts" id="rollout-many-hosts">
            <HostGrid hosts=sample::many_hosts() />
        </Section>
        <Section title="Verdicts" id="rollout-verdicts">
            <VerdictCard verdict=sample::passing() title="Batch 1" />
            <VerdictCard verdict=sample::failing() title="Batch 2" />
            <VerdictCard verdict=quiet title="Batch 3" />
        </Section>
        <Section title="Log" id="rollout-log" flush=true>
            <LogView lines=sample::log() />
        </Section>
    }
}
