//! The passwords of a stack: random, made once, kept in one file that only its owner can read.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rand::Rng;

use crate::error::Error;
use crate::roles::{AUDIT_ROLE, DATABASES, SUPERUSER};

/// The passwords of the database roles.
#[derive(Clone)]
pub struct Secrets {
    file: PathBuf,
    values: BTreeMap<String, String>,
}

// The values must not reach a log by way of a derived Debug.
impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secrets")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

impl Secrets {
    /// Reads the file, makes what is missing and writes it back with mode 0600.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be read or written.
    pub fn load_or_create(file: &Path) -> Result<Self, Error> {
        let mut values: BTreeMap<String, String> = match std::fs::read_to_string(file) {
            Ok(text) => text
                .lines()
                .filter_map(|line| line.split_once('='))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(Error::io(format!("reading {}", file.display()))(error)),
        };
        let before = values.len();
        for name in names() {
            values.entry(name.to_owned()).or_insert_with(random_hex);
        }
        if values.len() != before {
            write_private(file, &values)?;
        }
        Ok(Self {
            file: file.to_owned(),
            values,
        })
    }

    /// The password of a database role; empty for an unknown one, which no server accepts.
    #[must_use]
    pub fn password(&self, role: &str) -> &str {
        self.values.get(role).map_or("", String::as_str)
    }

    /// Where they are kept.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }
}

fn names() -> impl Iterator<Item = &'static str> {
    DATABASES
        .iter()
        .flat_map(|database| [database.owner, database.runtime])
        .chain([SUPERUSER, AUDIT_ROLE])
}

/// 256 random bits; hexadecimal, so it needs no quoting in SQL, URLs and environment variables.
pub(crate) fn random_hex() -> String {
    let bytes: [u8; 32] = rand::rng().random();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn write_private(file: &Path, values: &BTreeMap<String, String>) -> Result<(), Error> {
    let text: String = values
        .iter()
        .map(|(name, value)| format!("{name}={value}\n"))
        .collect();
    write_private_bytes(file, text.as_bytes())
}

/// For its owner only. Written beside and renamed: a crash leaves the old contents or the new ones, never half a file.
pub(crate) fn write_private_bytes(file: &Path, bytes: &[u8]) -> Result<(), Error> {
    let doing = || format!("writing {}", file.display());
    let fresh = file.with_extension("new");
    let mut out = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&fresh)
        .map_err(Error::io(doing()))?;
    out.write_all(bytes).map_err(Error::io(doing()))?;
    out.sync_all().map_err(Error::io(doing()))?;
    std::fs::rename(&fresh, file).map_err(Error::io(doing()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn secrets_are_made_once_and_only_for_their_owner() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secrets");
        let first = Secrets::load_or_create(&file).unwrap();
        let second = Secrets::load_or_create(&file).unwrap();
        assert_eq!(first.values, second.values);
        assert_eq!(
            std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(first.password("orders").len(), 64);
        assert_ne!(first.password("orders"), first.password("orders_owner"));
        assert!(!format!("{first:?}").contains(first.password("orders")));
    }
}
