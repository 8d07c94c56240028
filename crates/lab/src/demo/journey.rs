//! What the people of the demo do, one after the other, on the console's own pages.

use anyhow::{Result, anyhow, bail};
use url::Url;
use view::audit::AuditRow;
use view::delivery::DeliveryView;
use view::environment::{EnvironmentList, EnvironmentView};
use view::service::ServiceList;

use super::browser::{Browser, Sent};
use super::report::{Report, RolledOut};
use super::rollout::End;
use super::settings::TEAM;
use super::stage::Scene;
use super::{Narrator, baseline, health, inventory};
use crate::record::Record;

pub const PRODUCTION: &str = "production";
const DEVELOPMENT: &str = "dev";

/// The people, signed in.
pub struct Journey<'a> {
    pub record: &'a Record,
    console: Url,
    pub narrator: Narrator,
    pub maria: Browser,
    pub omar: Browser,
    pub ada: Browser,
    /// Only looks on.
    pub lena: Browser,
}

impl<'a> Journey<'a> {
    /// Signs everybody in.
    pub async fn begin(scene: &'a Scene) -> Result<Self> {
        let Scene {
            record,
            console,
            narrator,
            ..
        } = scene;
        narrator.say("people", "sign in through the identity provider");
        let sign_in = async |login: &str| {
            let person = record
                .oidc
                .people
                .iter()
                .find(|person| person.login == login);
            Browser::sign_in(
                console,
                person.ok_or_else(|| anyhow!("the lab knows nobody called {login}"))?,
            )
            .await
        };
        let (maria, omar, ada, lena) = tokio::try_join!(
            sign_in("maria"),
            sign_in("omar"),
            sign_in("ada"),
            sign_in("lena")
        )?;
        Ok(Self {
            record,
            console: console.clone(),
            narrator: *narrator,
            maria,
            omar,
            ada,
            lena,
        })
    }

    /// The operator adds what environments are missing and imports their hosts.
    pub async fn import(&self) -> Result<()> {
        let known: EnvironmentList = self.omar.read("environment/list", &[]).await?;
        for (slug, name, purpose, approval) in [
            (DEVELOPMENT, "Development", "development", "not_required"),
            (PRODUCTION, "Production", "production", "required"),
        ] {
            if !known
                .items
                .iter()
                .any(|environment| environment.slug == slug)
            {
                let values = [
                    ("slug", slug),
                    ("name", name),
                    ("purpose", purpose),
                    ("approval", approval),
                ];
                self.omar
                    .fill("/environments", "/api/environment/add", &values)
                    .await?;
            }
            let Some(text) = inventory::of(self.record, slug) else {
                continue;
            };
            let page = format!("/environments/{slug}");
            let mut form =
                self.omar
                    .form(&self.omar.open(&page).await?, &page, "/api/host/look")?;
            form.set("input[inventory]", &text)?;
            let shown = self.omar.look(&page, &form, "/api/host/look").await?;
            // Hosts that are known already as they are need no import.
            if let Some(form) = shown.form("/api/host/import") {
                match self.omar.send(&page, form).await? {
                    Sent::Accepted(_) => {}
                    Sent::Refused(why) => bail!("the hosts of {slug} were not imported: {why}"),
                }
            } else if let Some(why) = shown.error() {
                bail!(
                    "the inventory of {slug} was refused to {}: {why}",
                    self.omar.who
                );
            }
            let imported: EnvironmentView = self
                .omar
                .read("environment/show", &[("slug", slug)])
                .await?;
            let expected = self
                .record
                .hosts
                .iter()
                .filter(|host| host.environment == slug)
                .count();
            if usize::try_from(imported.environment.hosts).ok() != Some(expected) {
                bail!(
                    "{} hosts were imported into {slug}, but the page shows {}",
                    expected,
                    imported.environment.hosts
                );
            }
            self.say(&self.omar, &format!("imports {expected} hosts into {slug}"));
        }
        Ok(())
    }

    /// The team member brings the service in.
    pub async fn onboard(&self) -> Result<()> {
        let service = &self.record.service;
        let known: ServiceList = self.maria.read("service/list", &[]).await?;
        if known
            .page
            .items
            .iter()
            .any(|known| known.slug == service.slug)
        {
            return Ok(());
        }
        let metric = |space: &str, name: &str, count: &str| {
            format!(
                "{space}:slipway_demo.{name}{{service:{},env:{{env}}}} by {{host}}{count}",
                service.slug
            )
        };
        let values = [
            ("team", TEAM.to_owned()),
            ("slug", service.slug.clone()),
            ("name", "Checkout".to_owned()),
            ("description", "Takes orders and payments.".to_owned()),
            (
                "repository",
                "https://git.example.test/payments/checkout".to_owned(),
            ),
            ("host_group", service.slug.clone()),
            ("install_root", service.install_root.clone()),
            ("health_port", service.health_port.to_string()),
            ("health_path", "/health".to_owned()),
            ("requests", metric("sum", "requests", ".as_count()")),
            ("errors", metric("sum", "errors", ".as_count()")),
            ("latency", metric("avg", "latency_ms", "")),
            ("liveness", metric("sum", "up", "")),
        ];
        let values: Vec<_> = values
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        self.maria
            .fill("/services/new", "/api/service/onboard", &values)
            .await?;
        self.say(
            &self.maria,
            &format!("brings the service {} in for team {TEAM}", service.slug),
        );
        Ok(())
    }

    /// Everything: the service is onboarded; while a good release goes to production, a bad one is tried in development
    /// and rolled back by itself.
    pub async fn run(&self) -> Result<Report> {
        self.onboard().await?;
        baseline::known(self.record, PRODUCTION).await?;
        baseline::known(self.record, DEVELOPMENT).await?;
        let artifacts = &self.record.artifacts;
        let good = self.start(&artifacts.good, PRODUCTION).await?;
        let bad = self.start(&artifacts.bad, DEVELOPMENT).await?;
        let (good, bad) = tokio::try_join!(
            self.finish(good, End::Succeeded),
            self.finish(bad, End::RolledBack)
        )?;
        self.report(vec![good, bad]).await
    }

    async fn report(&self, rolled_out: Vec<RolledOut>) -> Result<Report> {
        let delivery: DeliveryView = self.lena.read("delivery/show", &[("days", "1")]).await?;
        let audit: Vec<AuditRow> = self
            .lena
            .read_all("audit/list", &[("query[words]", "")], "query[cursor]")
            .await?;
        let running = health::ask(self.record).await?;
        Ok(Report::new(
            self.record,
            &self.console,
            rolled_out,
            &delivery,
            audit.len(),
            running,
            self.narrator.elapsed(),
        ))
    }

    pub fn say(&self, browser: &Browser, what: &str) {
        self.narrator.say(&browser.who, what);
    }
}
