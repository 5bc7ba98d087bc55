//! Where the source is, and the `shopapi` binary built from it.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use clap::Args;
use devstack::{Progress, StateDir, ToolOptions, Tools};

use crate::ui::Ui;

/// Options of every command that starts a stack.
#[derive(Debug, Clone, Default, Args)]
pub struct StackArgs {
    /// Build and run with optimisations
    #[arg(long)]
    pub release: bool,
    /// Use this `shopapi` binary instead of building one
    #[arg(long, value_name = "FILE", env = "SHOPCTL_SHOPAPI")]
    pub shopapi: Option<PathBuf>,
    /// Where the files of stacks are kept
    #[arg(long, value_name = "DIR", env = "SHOPCTL_HOME")]
    pub home: Option<PathBuf>,
    /// Use the PostgreSQL in this directory (with `postgres`, `initdb`) instead of installing one
    #[arg(long, value_name = "DIR", env = "DEVSTACK_PG_BIN")]
    pub pg_bin: Option<PathBuf>,
    /// Use this NATS server instead of installing one
    #[arg(long, value_name = "FILE", env = "DEVSTACK_NATS_SERVER")]
    pub nats_server: Option<PathBuf>,
}

/// Everything a stack needs to exist before it starts.
pub struct Prepared {
    /// The home of all stacks.
    pub home: PathBuf,
    /// PostgreSQL and NATS.
    pub tools: Tools,
    /// The services' binary.
    pub shopapi: PathBuf,
}

impl StackArgs {
    /// The home of all stacks: what was asked for, else `.dev` in the checkout or here.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn home(&self) -> Result<PathBuf> {
        let wanted = match (&self.home, root()) {
            (Some(home), _) => home.clone(),
            (None, Some(root)) => root.join(".dev"),
            (None, None) => PathBuf::from(".dev"),
        };
        Ok(StateDir::home(&wanted)?)
    }

    /// Finds or installs the servers and builds the services.
    ///
    /// # Errors
    /// Names what is missing and the command that installs it.
    pub async fn prepare(&self, ui: &Ui) -> Result<Prepared> {
        let home = self.home()?;
        let options = ToolOptions {
            pg_bin: self.pg_bin.clone(),
            nats_server: self.nats_server.clone(),
        };
        let tools = Tools::find_or_install(&home, options, ui).await?;
        let shopapi = self.shopapi(ui).await?;
        Ok(Prepared {
            home,
            tools,
            shopapi,
        })
    }

    async fn shopapi(&self, ui: &Ui) -> Result<PathBuf> {
        if let Some(binary) = &self.shopapi {
            return Ok(binary.clone());
        }
        match root() {
            Some(root) => build(&root, self.release, ui).await,
            None => beside_us().context(
                "no shopapi binary: run this inside a checkout, or name one with --shopapi FILE",
            ),
        }
    }
}

/// The root of the checkout that the current directory is in.
#[must_use]
pub fn root() -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?;
    here.ancestors()
        .find(|dir| dir.join("services/shopapi/Cargo.toml").is_file())
        .map(Path::to_owned)
}

/// An installed `shopctl` has its `shopapi` in the same directory.
fn beside_us() -> Option<PathBuf> {
    let binary = std::env::current_exe().ok()?.with_file_name("shopapi");
    binary.is_file().then_some(binary)
}

/// Builds the binary; cargo itself shows the progress, and takes a moment when nothing changed.
async fn build(root: &Path, release: bool, ui: &Ui) -> Result<PathBuf> {
    let profile = if release { "release" } else { "debug" };
    ui.step(&format!("building shopapi ({profile})"));
    ui.done();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = tokio::process::Command::new(cargo);
    command
        .args(["build", "--package", "shopapi"])
        .current_dir(root)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    if release {
        command.arg("--release");
    }
    let status = command
        .status()
        .await
        .context("running cargo; is Rust installed?")?;
    if !status.success() {
        bail!("building shopapi failed ({status})");
    }
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root.join("target"), |dir| root.join(dir));
    Ok(target.join(profile).join("shopapi"))
}
