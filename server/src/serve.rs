//! `slipway serve`: from the configuration to a listening console, and to its end.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::serve::ListenerExt as _;
use control::{Console, DatadogSettings, Seal, ServeLock};
use integrations::datadog;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
};
use tracing_subscriber::EnvFilter;

use crate::{
    auth::Providers,
    clock::SystemClock,
    config::{Checked, Config, ConfigError},
    lock, observe,
    router::router,
    site::{Site, leptos_options},
};

/// Requests under way get this long to finish.
const PATIENCE: Duration = Duration::from_secs(10);

/// Serves until the process is asked to stop.
pub async fn serve(config: Config) -> anyhow::Result<()> {
    log(&config)?;
    let checked = config.check()?;
    let leptos = leptos_options(&checked)?;
    checked.installed()?;
    policy::check()?;
    // Both are held to the end of this function.
    let _lock = lock::lock(&checked.settings.data_dir)?;
    let mut database = ServeLock::take(&checked.settings.database_url).await?;
    let listener = TcpListener::bind(checked.listen)
        .await
        .map_err(|why| cannot_listen(checked.listen, &why))?;
    let metrics = observe::collect()?;
    let Checked {
        base_url,
        secret_key,
        oidc,
        settings,
        trusted_proxies,
        ..
    } = checked;
    if let Some(datadog) = settings.datadog.clone() {
        tokio::spawn(async move {
            if let Err(why) = telemetry_answers(&datadog).await {
                tracing::warn!("Telemetry cannot be asked, so no gate passes by itself: {why}");
            }
        });
    }
    let console = Console::open(settings, Arc::new(SystemClock)).await?;
    console.claim_data_folder().await?;
    let (stop_now, stop) = watch::channel(false);
    let site = Site {
        console: console.clone(),
        providers: Providers::new(oidc, &base_url)?,
        seal: Seal::new(&secret_key),
        base_url: base_url.clone(),
        leptos,
        trusted_proxies: trusted_proxies.into(),
        stop: stop.clone(),
    };
    let router = router(site, metrics).into_make_service_with_connect_info::<SocketAddr>();
    let mut reconcilers = tokio::spawn({
        let stop = stop.clone();
        async move { console.run(stop).await }
    });
    // Without this a page takes 40 ms longer: the end of a response waits for the peer's delayed acknowledgement.
    let listener = listener.tap_io(|tcp| {
        let _ = tcp.set_nodelay(true);
    });
    let mut asked = stop.clone();
    let mut server = tokio::spawn(
        axum::serve(listener, router)
            .with_graceful_shutdown(async move {
                let _ = asked.wait_for(|stop| *stop).await;
            })
            .into_future(),
    );
    tracing::info!("Slipway is at {base_url}");

    let ended_early = tokio::select! {
        () = asked_to_stop() => None,
        ended = &mut reconcilers => Some(anyhow::anyhow!("The reconcilers ended by themselves ({}). Start Slipway again; playbooks under way go on.", ended.err().map_or_else(|| "without an error".to_owned(), |why| why.to_string()))),
        lost = database.lost() => lost.err().map(Into::into),
        ended = &mut server => Some(anyhow::anyhow!("The web server ended by itself ({ended:?}). Start Slipway again; playbooks under way go on.")),
    };
    tracing::info!(
        "Slipway stops; playbooks under way go on and are taken up again at the next start"
    );
    let _ = stop_now.send(true);
    if let Some(error) = ended_early {
        return Err(error);
    }
    let finish = async {
        let _ = tokio::join!(server, reconcilers);
    };
    if tokio::time::timeout(PATIENCE, finish).await.is_err() {
        tracing::warn!(
            "some requests did not finish within {} s",
            PATIENCE.as_secs()
        );
    }
    Ok(())
}

/// Asks Datadog whether it takes the API key.
pub async fn telemetry_answers(settings: &DatadogSettings) -> Result<(), datadog::Error> {
    datadog::Client::new(
        settings.base_url.clone(),
        settings.api_key.clone(),
        settings.app_key.clone(),
    )?
    .validate()
    .await
}

fn log(config: &Config) -> Result<(), ConfigError> {
    let filter = EnvFilter::try_new(&config.log).map_err(|why| ConfigError(format!("The setting log (SLIPWAY_LOG) is “{}”, which is no log filter: {why}. Use info, debug, or a list such as info,control=debug.", config.log)))?;
    // An expired session is no suspicious activity, whatever the library thinks.
    let filter = match "tower_sessions_core=error".parse() {
        Ok(quiet) => filter.add_directive(quiet),
        Err(_) => filter,
    };
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::IsTerminal::is_terminal(&io::stderr()))
        .try_init();
    Ok(())
}

fn cannot_listen(listen: SocketAddr, why: &io::Error) -> ConfigError {
    ConfigError(match why.kind() {
        io::ErrorKind::AddrInUse => format!(
            "Another program already listens on {listen}. Stop it, or choose another port with the setting listen (SLIPWAY_LISTEN)."
        ),
        io::ErrorKind::PermissionDenied => format!(
            "This user may not listen on {listen}. Choose a port above 1023 with the setting listen (SLIPWAY_LISTEN)."
        ),
        io::ErrorKind::AddrNotAvailable => format!(
            "This machine has no address {}. Correct the setting listen (SLIPWAY_LISTEN).",
            listen.ip()
        ),
        _ => format!(
            "Slipway cannot listen on {listen}: {why}. Correct the setting listen (SLIPWAY_LISTEN)."
        ),
    })
}

async fn asked_to_stop() {
    match (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) {
        (Ok(mut terminate), Ok(mut interrupt)) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        }
        // Without handlers the signals end the process at once, which is safe as well.
        _ => std::future::pending().await,
    }
}
