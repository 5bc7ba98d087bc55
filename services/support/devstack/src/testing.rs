//! Servers for tests: every test process gets a cluster of its own, so tests can run side by side, break their
//! PostgreSQL and pull its plug, and never meet.
//!
//! ```text
//! .dev/test/golden-<hash of migrations and versions>/   made once: initdb, databases, roles, migrations; stopped
//!      │ cp (about 50 MB, page cache; a reflink where the file system has them)
//!      ▼
//! <scratch>/run-<random>/   one per test process, its server without fsync; removed when the test ends
//! ```
//!
//! A start costs about half a second of one core, most of it PostgreSQL's own. Nothing is left running: servers
//! die with the test's process, and directories of killed tests are swept by the next one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use shopapi_postgres::PgConfig;
use shopapi_postgres::migrate::{self, Schema};

use crate::blocking::blocking;
use crate::cluster::{Cluster, ClusterConfig, Durability};
use crate::error::Error;
use crate::nats::Nats;
use crate::pki::Pki;
use crate::ports::{PortLease, lease};
use crate::progress::Silent;
use crate::roles::DatabaseSpec;
use crate::secrets::Secrets;
use crate::state::{StateDir, fnv1a, make_dir};
use crate::tools::{ToolOptions, Tools};

/// Sessions at once; small, for each slot costs shared memory.
const CONNECTIONS_MAX: u32 = 100;

/// Brings one empty database up to date; run once per golden cluster.
pub trait Migrate {
    /// Migrates the database behind `url`, which connects as its owner.
    ///
    /// # Errors
    /// A text for the person who runs the test.
    fn migrate(
        &self,
        database: &DatabaseSpec,
        url: &str,
    ) -> impl Future<Output = Result<(), String>>;
}

/// A private PostgreSQL with migrated databases and a private NATS.
pub struct TestStack {
    // Fields drop in this order: servers first, their files last.
    /// The NATS server; its JetStream is empty at first.
    pub nats: Nats,
    /// The PostgreSQL server.
    pub cluster: Cluster,
    _ports: [PortLease; 2],
    state: StateDir,
}

/// The migrations that ship, embedded in `shopapi-postgres`.
struct Shipped;

impl Migrate for Shipped {
    async fn migrate(&self, database: &DatabaseSpec, url: &str) -> Result<(), String> {
        let schema = Schema::ALL
            .into_iter()
            .find(|schema| schema.name() == database.service)
            .ok_or_else(|| format!("no migrations for {}", database.service))?;
        let config = PgConfig::parse(url, "devstack").map_err(|error| error.to_string())?;
        migrate::run(&config, schema)
            .await
            .map(drop)
            .map_err(|error| error.to_string())
    }
}

impl TestStack {
    /// Starts both servers, with every database at the newest schema.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn migrated() -> Result<Self, Error> {
        Self::start(&workspace_root().join("migrations"), &Shipped).await
    }

    /// Starts both servers. `migrations` is the directory whose contents decide when a new golden cluster is due.
    ///
    /// # Errors
    /// Whatever keeps the servers from starting, or the migrations' own error.
    pub async fn start(migrations: &Path, migrate: &impl Migrate) -> Result<Self, Error> {
        let dev = StateDir::home(&workspace_root().join(".dev"))?;
        let tools = Tools::find_or_install(&dev, ToolOptions::from_env(), &Silent).await?;
        let home = dev.join("test");
        make_dir(&home, 0o755)?;
        let golden = golden(&home, &tools, migrations, migrate).await?;

        let state = StateDir::temporary(&StateDir::scratch(&dev)?, "run-")?;
        copy(&golden, state.path()).await?;
        let ports = [lease()?, lease()?];
        let mut cluster = open(&tools, &state, ports[0].port()).await?;
        let mut nats = Nats::new(
            tools.nats_server.clone(),
            state.nats(),
            ports[1].port(),
            None,
            state.log("nats"),
        )
        .secured(cluster.pki());
        let (postgres_started, nats_started) = tokio::join!(cluster.start(), nats.start());
        postgres_started?;
        nats_started?;
        Ok(Self {
            nats,
            cluster,
            _ports: ports,
            state,
        })
    }

    /// A connection URL of a service's run-time role.
    #[must_use]
    pub fn url(&self, service: &str) -> String {
        self.cluster.url(service, &format!("{service}db"))
    }

    /// The keys and certificates of everybody.
    #[must_use]
    pub fn pki(&self) -> &Pki {
        self.cluster.pki()
    }

    /// Where the servers' logs are.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.state.path()
    }
}

/// Puts a migrated cluster into an empty state directory: a [`Stack`](crate::Stack) that a test starts there has its
/// databases at once.
///
/// # Errors
/// As [`TestStack::start`].
pub async fn with_migrated_databases(state: &StateDir, tools: &Tools) -> Result<(), Error> {
    let home = StateDir::home(&workspace_root().join(".dev"))?.join("test");
    make_dir(&home, 0o755)?;
    let golden = golden(&home, tools, &workspace_root().join("migrations"), &Shipped).await?;
    copy(&golden, state.path()).await
}

/// The root of this workspace, known at build time: tests run where they were built.
#[must_use]
pub fn workspace_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(3).unwrap_or(here).to_owned()
}

async fn open(tools: &Tools, state: &StateDir, port: u16) -> Result<Cluster, Error> {
    let config = ClusterConfig {
        bin: tools.pg_bin.clone(),
        dir: state.postgres(),
        port,
        durability: Durability::Off,
        connections_max: CONNECTIONS_MAX,
        log: state.log("postgres"),
        pki: Pki::load_or_create(&state.pki())?,
    };
    Cluster::open(config, Secrets::load_or_create(&state.secrets())?).await
}

/// The golden cluster's directory; made by whoever comes first while the others wait.
async fn golden(
    home: &Path,
    tools: &Tools,
    migrations: &Path,
    migrate: &impl Migrate,
) -> Result<PathBuf, Error> {
    let name = format!("golden-{:016x}", fingerprint(tools, migrations)?);
    let path = home.join(&name);
    let done = path.join("complete");
    if done.exists() {
        return Ok(path);
    }
    let lock = std::fs::File::create(home.join("golden.lock"))
        .map_err(Error::io("opening the lock of the golden cluster"))?;
    let lock = blocking(move || lock.lock().map(|()| lock))
        .await?
        .map_err(Error::io("waiting for the golden cluster"))?;
    if done.exists() {
        return Ok(path);
    }
    remove_old(home);
    let state = StateDir::open(home, &name)?;
    state.wipe()?;
    let port = lease()?;
    let mut cluster = open(tools, &state, port.port()).await?;
    cluster.start().await?;
    cluster.provision().await?;
    for spec in &crate::roles::DATABASES {
        migrate
            .migrate(spec, &cluster.url(spec.owner, spec.database))
            .await
            .map_err(|error| Error::Step(format!("migrating {}: {error}", spec.database)))?;
    }
    cluster.stop().await?;
    std::fs::write(&done, "").map_err(Error::io("marking the golden cluster"))?;
    drop(lock);
    Ok(path)
}

/// Golden clusters of older migrations; a young one may still be copied by a test run that is under way.
fn remove_old(home: &Path) {
    const OLD: Duration = Duration::from_secs(3600);
    for entry in std::fs::read_dir(home).into_iter().flatten().flatten() {
        let old = entry
            .metadata()
            .and_then(|meta| meta.modified())
            .is_ok_and(|at| at.elapsed().is_ok_and(|age| age > OLD));
        if old && entry.file_name().to_string_lossy().starts_with("golden-") {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// Changes with any migration, with the PostgreSQL in use, and with this crate's own set-up of roles.
fn fingerprint(tools: &Tools, migrations: &Path) -> Result<u64, Error> {
    let mut files = Vec::new();
    collect(migrations, &mut files)?;
    files.sort();
    let mut bytes = tools.pg_bin.as_os_str().as_encoded_bytes().to_vec();
    bytes.extend_from_slice(include_bytes!("roles.rs"));
    bytes.extend_from_slice(include_bytes!("datadir.rs"));
    for file in files {
        bytes.extend_from_slice(file.as_os_str().as_encoded_bytes());
        bytes.extend(
            std::fs::read(&file).map_err(Error::io(format!("reading {}", file.display())))?,
        );
    }
    Ok(fnv1a(&bytes))
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) -> Result<(), Error> {
    let entries =
        std::fs::read_dir(dir).map_err(Error::io(format!("listing {}", dir.display())))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// Copies a stopped cluster with its owners and modes.
async fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    for part in ["secrets", "postgres"] {
        let output = tokio::process::Command::new("cp")
            .args(["-a", "--reflink=auto"])
            .arg(from.join(part))
            .arg(to)
            .output()
            .await
            .map_err(Error::io("running cp"))?;
        if !output.status.success() {
            return Err(Error::Command {
                program: format!("cp -a {}", from.join(part).display()),
                status: output.status.to_string(),
                output: String::from_utf8_lossy(&output.stderr).into_owned(),
            });
        }
    }
    Ok(())
}
