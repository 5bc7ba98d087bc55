//! Where a stack keeps its files, and that only one process uses them at a time.
//!
//! ```text
//! .dev/                      the home: shared by everything in a checkout
//! ├── venv/                  PostgreSQL and NATS (tools.rs)
//! ├── stack/                 a StateDir: what `shopctl dev` runs on
//! │   ├── lock  secrets
//! │   └── pki/ postgres/ nats/ log/
//! ├── run-<random>/          a StateDir that goes with its process (demo, bench)
//! └── test/                  the golden cluster that tests copy, and the copies where there is little memory
//! ```
//!
//! A root caller's PostgreSQL runs as another account, which must be able to walk to its files. Where it cannot
//! (a checkout below a private home directory) the home moves to a place under `/var/tmp`.

use std::fs::{File, OpenOptions, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::error::Error;

/// Free memory that a scratch directory asks for: a stack under test takes about 150 MB, several run at once, and the machine wants to
/// live on.
const SCRATCH_BYTES_MIN: u64 = 4 << 30;

/// The directory of one stack, locked while this value lives.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    remove_on_drop: bool,
    _lock: File,
}

impl StateDir {
    /// The home for a wanted directory: itself, or its stand-in when root's PostgreSQL could not reach it.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be made; [`Error::Step`] when the stand-in belongs to somebody else.
    pub fn home(wanted: &Path) -> Result<PathBuf, Error> {
        let wanted = std::path::absolute(wanted)
            .map_err(Error::io(format!("finding {}", wanted.display())))?;
        if !rustix::process::geteuid().is_root() || reachable_by_others(&wanted) {
            make_dir(&wanted, 0o755)?;
            return Ok(wanted);
        }
        let name = format!(
            "shopapi-dev-{:016x}",
            fnv1a(wanted.as_os_str().as_encoded_bytes())
        );
        let stand_in = Path::new("/var/tmp").join(name);
        own_dir(&stand_in)?;
        Ok(stand_in)
    }

    /// Where tests make what they throw away: a file system in memory when there is a large one, else below `home`.
    ///
    /// A data directory has a thousand files, and ext4 looks for long at each that was removed a moment ago before it makes a new one.
    ///
    /// # Errors
    /// As [`home`](Self::home).
    pub fn scratch(home: &Path) -> Result<PathBuf, Error> {
        let memory = Path::new("/dev/shm");
        let free = rustix::fs::statvfs(memory)
            .map_or(0, |about| about.f_bavail.saturating_mul(about.f_frsize));
        if free < SCRATCH_BYTES_MIN {
            let scratch = home.join("test");
            make_dir(&scratch, 0o755)?;
            return Ok(scratch);
        }
        let user = rustix::process::geteuid().as_raw();
        let scratch = memory.join(format!("shopapi-test-{user}"));
        own_dir(&scratch)?;
        Ok(scratch)
    }

    /// Opens `home/name`, which stays when the process ends.
    ///
    /// # Errors
    /// [`Error::Busy`] when another process runs on it; [`Error::Io`].
    pub fn open(home: &Path, name: &str) -> Result<Self, Error> {
        Self::lock(home.join(name), false)
    }

    /// Makes a fresh directory under `home` that is removed when this value drops.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be made.
    pub fn temporary(home: &Path, prefix: &str) -> Result<Self, Error> {
        let unique: u64 = rand::random();
        sweep(home, prefix);
        Self::lock(home.join(format!("{prefix}{unique:016x}")), true)
    }

    fn lock(path: PathBuf, remove_on_drop: bool) -> Result<Self, Error> {
        make_dir(&path, 0o711)?;
        let file = path.join("lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&file)
            .map_err(Error::io(format!("opening {}", file.display())))?;
        if lock.try_lock().is_err() {
            return Err(Error::Busy { dir: path });
        }
        Ok(Self {
            path,
            remove_on_drop,
            _lock: lock,
        })
    }

    /// The directory itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// PostgreSQL's files.
    #[must_use]
    pub fn postgres(&self) -> PathBuf {
        self.path.join("postgres")
    }

    /// NATS' files.
    #[must_use]
    pub fn nats(&self) -> PathBuf {
        self.path.join("nats")
    }

    /// The log file of a process.
    #[must_use]
    pub fn log(&self, name: &str) -> PathBuf {
        self.path.join("log").join(format!("{name}.log"))
    }

    /// Keys and certificates.
    #[must_use]
    pub fn pki(&self) -> PathBuf {
        self.path.join("pki")
    }

    /// The secrets that sign users' tokens.
    #[must_use]
    pub fn user_keys(&self) -> PathBuf {
        self.path.join("user-jwt")
    }

    /// The file with the passwords.
    #[must_use]
    pub fn secrets(&self) -> PathBuf {
        self.path.join("secrets")
    }

    /// Removes everything inside, the databases included.
    ///
    /// # Errors
    /// [`Error::Io`] when something cannot be removed.
    pub fn wipe(&self) -> Result<(), Error> {
        for entry in read_dir(&self.path)? {
            if entry.file_name().is_some_and(|name| name == "lock") {
                continue;
            }
            let removed = if entry.is_dir() {
                std::fs::remove_dir_all(&entry)
            } else {
                std::fs::remove_file(&entry)
            };
            removed.map_err(Error::io(format!("removing {}", entry.display())))?;
        }
        Ok(())
    }
}

impl Drop for StateDir {
    fn drop(&mut self) {
        if self.remove_on_drop
            && let Err(error) = std::fs::remove_dir_all(&self.path)
        {
            tracing::warn!(%error, dir = %self.path.display(), "a temporary directory stays behind");
        }
    }
}

/// Removes temporary directories whose process was killed before it could: nobody holds their lock.
fn sweep(home: &Path, prefix: &str) {
    for dir in read_dir(home).unwrap_or_default() {
        let named = dir
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with(prefix));
        if !named {
            continue;
        }
        let abandoned = File::open(dir.join("lock")).is_ok_and(|lock| lock.try_lock().is_ok());
        if abandoned {
            // Two sweepers may meet on one directory; what one misses, the next sweep finds.
            let _ = std::fs::remove_dir_all(&dir);
        }
    }
}

fn read_dir(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries =
        std::fs::read_dir(dir).map_err(Error::io(format!("listing {}", dir.display())))?;
    Ok(entries.flatten().map(|entry| entry.path()).collect())
}

/// Makes a directory in a place that is shared: its name is predictable, so it must be one that this user made.
fn own_dir(path: &Path) -> Result<(), Error> {
    make_dir(path, 0o755)?;
    let meta = std::fs::symlink_metadata(path)
        .map_err(Error::io(format!("looking at {}", path.display())))?;
    if meta.is_dir() && meta.uid() == rustix::process::geteuid().as_raw() {
        return Ok(());
    }
    Err(Error::Step(format!(
        "{} exists and belongs to somebody else; remove it",
        path.display()
    )))
}

/// Makes a directory with a mode of its own, whatever the caller's umask is.
pub(crate) fn make_dir(dir: &Path, mode: u32) -> Result<(), Error> {
    let doing = || format!("making {}", dir.display());
    if dir.is_dir() {
        return Ok(());
    }
    std::fs::create_dir_all(dir).map_err(Error::io(doing()))?;
    std::fs::set_permissions(dir, Permissions::from_mode(mode)).map_err(Error::io(doing()))
}

/// May any account walk to this path? Parts that do not exist yet are made by us, and walkable.
fn reachable_by_others(path: &Path) -> bool {
    const OTHERS_MAY_WALK: u32 = 0o001;
    path.ancestors()
        .filter_map(|dir| std::fs::metadata(dir).ok())
        .all(|meta| meta.mode() & OTHERS_MAY_WALK != 0)
}

/// FNV-1a, 64 bits: names a directory after a path or after file contents, the same on every run and toolchain.
pub(crate) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_directory_has_one_user_at_a_time() {
        let home = tempfile::tempdir().unwrap();
        let first = StateDir::open(home.path(), "stack").unwrap();
        assert!(matches!(
            StateDir::open(home.path(), "stack"),
            Err(Error::Busy { .. })
        ));
        drop(first);
        StateDir::open(home.path(), "stack").unwrap();
    }

    #[test]
    fn a_temporary_directory_goes_and_an_abandoned_one_is_swept() {
        let home = tempfile::tempdir().unwrap();
        let abandoned = home.path().join("run-dead");
        std::fs::create_dir(&abandoned).unwrap();
        std::fs::write(abandoned.join("lock"), "").unwrap();
        let live = StateDir::temporary(home.path(), "run-").unwrap();
        let other = StateDir::temporary(home.path(), "run-").unwrap();
        assert!(live.path().is_dir(), "a directory in use was swept");
        assert!(!abandoned.exists());
        let path = other.path().to_owned();
        drop(other);
        assert!(!path.exists());
    }

    #[test]
    fn a_private_directory_on_the_way_hides_what_is_below() {
        let home = tempfile::tempdir().unwrap();
        let below = home.path().join("a/b");
        std::fs::set_permissions(home.path(), Permissions::from_mode(0o700)).unwrap();
        assert!(!reachable_by_others(&below));
        std::fs::set_permissions(home.path(), Permissions::from_mode(0o711)).unwrap();
        assert!(reachable_by_others(&below));
    }
}
