//! A value read from files that may be replaced while the process runs: keys, certificates, secrets.
//!
//! ```text
//!   files ── every second: other contents than those in use? ── parse ──▶ fits: swapped in as a whole
//!                                                                  └───▶ refused: logged once, the old value stays
//! ```
//!
//! **Invariants.** Readers never see half of a replacement: several files are read, parsed together and swapped at once. What does not parse replaces
//! nothing, so a mistake made at night shows in the log and not in the service. What was refused is tried again at each look: a certificate that is not valid
//! yet becomes valid without a change. Contents are compared, not times: a mounted secret keeps its links.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        reason = "tests fail by panicking"
    )
)]

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use sha2::{Digest as _, Sha256};
use tokio::time::MissedTickBehavior;
use tracing::{info, warn};

/// How often the files are looked at: a rotation waits for nobody longer than this, and reading a few kilobytes costs nothing.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Longest file that is read: keys, certificates and secrets have a few kilobytes.
pub const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Where the contents are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// One file.
    File(PathBuf),
    /// Every file of a directory that ends so, by name.
    Directory {
        /// The directory.
        path: PathBuf,
        /// Its files' extension, without the dot.
        extension: &'static str,
    },
}

/// One file as it was read. `Debug` shows no contents.
#[derive(Clone)]
pub struct Contents {
    /// Where it was.
    pub path: PathBuf,
    /// What was in it.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contents")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// A file or directory cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be read: {cause}; check the path and who may read it", .path.display())]
pub struct Unreadable {
    /// Which.
    pub path: PathBuf,
    /// What the system says.
    #[source]
    pub cause: io::Error,
}

/// What a look at the files came to.
#[derive(Debug)]
pub enum Look<E> {
    /// As before; what is still refused for the same reason included.
    Unchanged,
    /// The value is a new one.
    Replaced,
    /// The contents are wrong, which is new or has another reason than before; the value is the old one.
    Refused(E),
}

/// What is known of the files.
struct Seen {
    /// Digest of the contents that the value was made of.
    in_use: [u8; 32],
    /// Why the contents that were looked at last are not in use, as it was told.
    refused: Option<String>,
}

impl Seen {
    /// The same reason every second would fill the log.
    fn refuse<E: fmt::Display>(&mut self, error: E) -> Look<E> {
        let reason = error.to_string();
        if self.refused.as_ref() == Some(&reason) {
            return Look::Unchanged;
        }
        self.refused = Some(reason);
        Look::Refused(error)
    }
}

type Parse<T, E> = Box<dyn Fn(&[Contents]) -> Result<T, E> + Send + Sync>;

struct Shared<T, E> {
    what: &'static str,
    places: Vec<Place>,
    parse: Parse<T, E>,
    current: ArcSwap<T>,
    seen: Mutex<Seen>,
}

/// A value that follows its files once [`Watched::watch`] runs. Cheap to clone.
pub struct Watched<T, E>(Arc<Shared<T, E>>);

impl<T, E> Clone for Watched<T, E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T, E> fmt::Debug for Watched<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched")
            .field("what", &self.0.what)
            .field("places", &self.0.places)
            .finish_non_exhaustive()
    }
}

impl<T, E> Watched<T, E>
where
    T: Send + Sync + 'static,
    E: From<Unreadable> + fmt::Display + Send + 'static,
{
    /// Reads the first value. `what` names it in the log. `parse` gets the files in the order of `places`.
    ///
    /// # Errors
    /// What `parse` says, or that a file cannot be read.
    pub fn load(
        what: &'static str,
        places: Vec<Place>,
        parse: impl Fn(&[Contents]) -> Result<T, E> + Send + Sync + 'static,
    ) -> Result<Self, E> {
        let contents = read(&places)?;
        let first = parse(&contents)?;
        Ok(Self(Arc::new(Shared {
            what,
            places,
            parse: Box::new(parse),
            current: ArcSwap::from_pointee(first),
            seen: Mutex::new(Seen {
                in_use: digest(&contents),
                refused: None,
            }),
        })))
    }

    /// The value as of now.
    #[must_use]
    pub fn get(&self) -> Arc<T> {
        self.0.current.load_full()
    }

    /// Looks at the files now. Reads them on this thread.
    #[must_use]
    pub fn look(&self) -> Look<E> {
        // Held until the end: two looks at once could leave the older contents in use.
        let mut seen = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let contents = match read(&self.0.places) {
            Ok(contents) => contents,
            Err(error) => return seen.refuse(error.into()),
        };
        let found = digest(&contents);
        if seen.in_use == found {
            seen.refused = None;
            return Look::Unchanged;
        }
        match (self.0.parse)(&contents) {
            Ok(value) => {
                self.0.current.store(Arc::new(value));
                *seen = Seen {
                    in_use: found,
                    refused: None,
                };
                Look::Replaced
            }
            Err(error) => seen.refuse(error),
        }
    }

    /// Follows the files for ever; dropping it stops that, and the value stays as it is.
    pub async fn watch(self) {
        let mut tick = tokio::time::interval(LOOK_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let watched = self.clone();
            #[expect(
                clippy::disallowed_methods,
                reason = "one short read a second; a network file system must not hold a worker"
            )]
            let looked = tokio::task::spawn_blocking(move || watched.look()).await;
            match looked {
                Ok(Look::Unchanged) => {}
                Ok(Look::Replaced) => info!(what = self.0.what, "replaced files are in use"),
                Ok(Look::Refused(error)) => {
                    warn!(what = self.0.what, %error, "replaced files are refused; the previous ones stay in use");
                }
                // A panic's text may quote what is in the files; the panic hook tells its place.
                Err(_panicked) => warn!(what = self.0.what, "replaced files were not looked at"),
            }
        }
    }
}

fn read(places: &[Place]) -> Result<Vec<Contents>, Unreadable> {
    let mut all = Vec::new();
    for place in places {
        match place {
            Place::File(path) => all.push(read_file(path)?),
            Place::Directory { path, extension } => {
                for file in list(path, extension)? {
                    all.push(read_file(&file)?);
                }
            }
        }
    }
    Ok(all)
}

fn read_file(path: &Path) -> Result<Contents, Unreadable> {
    use io::Read as _;
    let read = || {
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path)?;
        file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(io::Error::other("it is larger than 1 MiB"));
        }
        Ok(bytes)
    };
    match read() {
        Ok(bytes) => Ok(Contents {
            path: path.to_owned(),
            bytes,
        }),
        Err(cause) => Err(unreadable(path, cause)),
    }
}

fn list(dir: &Path, extension: &str) -> Result<Vec<PathBuf>, Unreadable> {
    let listed = std::fs::read_dir(dir)
        .and_then(|entries| {
            entries
                .map(|entry| Ok(entry?.path()))
                .collect::<io::Result<Vec<_>>>()
        })
        .map_err(|cause| unreadable(dir, cause))?;
    let mut files: Vec<_> = listed
        .into_iter()
        .filter(|file| file.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    Ok(files)
}

fn unreadable(path: &Path, cause: io::Error) -> Unreadable {
    Unreadable {
        path: path.to_owned(),
        cause,
    }
}

fn digest(contents: &[Contents]) -> [u8; 32] {
    let mut digest = Sha256::new();
    for file in contents {
        let name = file.path.as_os_str().as_encoded_bytes();
        for part in [name, &file.bytes] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
    }
    digest.finalize().into()
}

#[cfg(test)]
mod tests;
