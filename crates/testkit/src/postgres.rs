//! One private PostgreSQL cluster for each test process, gone when the process is.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use store::Store;
use tokio::sync::OnceCell;

use crate::database::run;

/// Starts a cluster on a socket in a folder of its own, prints the folder, and ends it when its standard input closes:
/// that happens however the test process ends. PostgreSQL refuses to run as root, so root runs this as `postgres`.
const SCRIPT: &str = r#"
set -eu
trap '' INT TERM HUP
dir=$(mktemp -d /tmp/slipway-test-XXXXXX)
trap 'rm -rf "$dir"' EXIT
"$1/initdb" -D "$dir/data" -U postgres --auth=trust --no-sync --no-locale --encoding=UTF8 >"$dir/log" 2>&1 || { cat "$dir/log" >&2; exit 1; }
"$1/pg_ctl" -D "$dir/data" -l "$dir/log" -w -o "-k $dir -c listen_addresses= -c max_connections=300 $2" start >/dev/null || { cat "$dir/log" >&2; exit 1; }
echo "$dir"
cat >/dev/null
"$1/pg_ctl" -D "$dir/data" -m immediate -w stop >/dev/null 2>&1
"#;

/// Every test database is a copy of this one.
const TEMPLATE: &str = "slipway_template";

/// What was committed may be lost with the power: tests have no use for it, and are quicker.
const FLEETING: &str = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off";

struct Cluster {
    folder: PathBuf,
    /// Ends the cluster when its standard input closes, which happens when this process ends.
    _keeper: Child,
}

impl Cluster {
    fn start(options: &str) -> Self {
        let root = std::fs::metadata("/proc/self")
            .is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
        let mut command = if root {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--", "sh"]);
            command
        } else {
            Command::new("sh")
        };
        command
            .args(["-c", SCRIPT, "sh"])
            .arg(binaries())
            .arg(options)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut keeper = command
            .spawn()
            .expect("sh (and as root runuser) can be started");
        let mut folder = String::new();
        BufReader::new(keeper.stdout.take().expect("a piped standard output"))
            .read_line(&mut folder)
            .expect("a line of text");
        assert!(
            !folder.trim().is_empty(),
            "PostgreSQL did not start; what it said is above"
        );
        Self {
            folder: PathBuf::from(folder.trim()),
            _keeper: keeper,
        }
    }

    fn url(&self, database: &str) -> String {
        format!(
            "postgres://postgres@localhost/{database}?host={}",
            self.folder.display()
        )
    }
}

/// The folder with `initdb` and `pg_ctl`: Debian keeps them out of PATH.
fn binaries() -> PathBuf {
    let debian = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = debian
        .chain(std::env::split_paths(&path))
        .filter(|folder| has_programs(folder))
        .collect();
    folders.sort();
    folders
        .pop()
        .expect("PostgreSQL is installed (Debian: apt-get install postgresql)")
}

fn has_programs(folder: &Path) -> bool {
    ["initdb", "pg_ctl", "postgres"]
        .iter()
        .all(|program| folder.join(program).is_file())
}

/// The address of a new database with every migration applied.
pub(crate) async fn fresh(name: &str) -> String {
    static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();
    let cluster = CLUSTER
        .get_or_init(|| async {
            let cluster = tokio::task::spawn_blocking(|| Cluster::start(FLEETING))
                .await
                .expect("the cluster starts");
            run(
                &cluster.url("postgres"),
                &format!("CREATE DATABASE {TEMPLATE}"),
            )
            .await;
            let store = Store::open(&cluster.url(TEMPLATE))
                .await
                .expect("the migrations run");
            store.close().await;
            cluster
        })
        .await;
    run(
        &cluster.url("postgres"),
        &format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}"),
    )
    .await;
    cluster.url(name)
}

/// The address of a new and empty database that keeps what was committed, as one does in earnest.
pub(crate) async fn lasting(name: &str) -> String {
    static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();
    let start = || async {
        let started = tokio::task::spawn_blocking(|| Cluster::start(""));
        started.await.expect("the cluster starts")
    };
    let cluster = CLUSTER.get_or_init(start).await;
    run(&cluster.url("postgres"), &format!("CREATE DATABASE {name}")).await;
    cluster.url(name)
}
