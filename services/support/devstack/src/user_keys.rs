//! The secrets that sign users' tokens, each in a file of its own, as the gateway follows them.

use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::secrets::{random_hex, write_private_bytes};

/// The files of the current and the previous secret of a state directory.
#[derive(Debug, Clone)]
pub struct UserKeyFiles {
    dir: PathBuf,
}

impl UserKeyFiles {
    /// The files in this directory; makes the directory, a current secret and an empty previous one where they are missing.
    ///
    /// # Errors
    /// [`Error::Io`] when they cannot be written.
    pub fn open_or_create(dir: &Path) -> Result<Self, Error> {
        std::fs::create_dir_all(dir).map_err(Error::io(format!("making {}", dir.display())))?;
        let files = Self {
            dir: dir.to_owned(),
        };
        if !files.previous().exists() {
            write_private_bytes(&files.previous(), b"")?;
        }
        if !files.current().exists() {
            write_private_bytes(&files.current(), random_hex().as_bytes())?;
        }
        Ok(files)
    }

    /// What the gateway signs with.
    #[must_use]
    pub fn current(&self) -> PathBuf {
        self.dir.join("current")
    }

    /// What it believes besides: one that comes or one that goes. Empty: none.
    #[must_use]
    pub fn previous(&self) -> PathBuf {
        self.dir.join("previous")
    }

    /// The current secret.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be read.
    pub fn secret(&self) -> Result<String, Error> {
        read(&self.current())
    }

    /// First step of a rotation: a new secret is believed from now on.
    ///
    /// # Errors
    /// [`Error::Io`] when the files cannot be written.
    pub fn announce(&self) -> Result<(), Error> {
        write_private_bytes(&self.previous(), random_hex().as_bytes())
    }

    /// Second step: the announced secret signs, the old one is believed until its tokens have ended.
    ///
    /// # Errors
    /// [`Error::Io`] when the files cannot be read or written.
    pub fn switch(&self) -> Result<(), Error> {
        let (old, new) = (read(&self.current())?, read(&self.previous())?);
        // In this order a gateway that reads between the two still believes what it signed.
        write_private_bytes(&self.previous(), old.as_bytes())?;
        write_private_bytes(&self.current(), new.as_bytes())
    }

    /// Last step: the old secret is not believed any more.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be written.
    pub fn retire(&self) -> Result<(), Error> {
        write_private_bytes(&self.previous(), b"")
    }
}

fn read(file: &Path) -> Result<String, Error> {
    std::fs::read_to_string(file).map_err(Error::io(format!("reading {}", file.display())))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_rotation_changes_places_and_loses_nothing_on_the_way() {
        let dir = tempfile::tempdir().unwrap();
        let files = UserKeyFiles::open_or_create(dir.path()).unwrap();
        let first = files.secret().unwrap();
        assert_eq!(first.len(), 64);
        assert_eq!(read(&files.previous()).unwrap(), "");

        files.announce().unwrap();
        let second = read(&files.previous()).unwrap();
        assert_eq!(files.secret().unwrap(), first);
        files.switch().unwrap();
        assert_eq!(files.secret().unwrap(), second);
        assert_eq!(read(&files.previous()).unwrap(), first);
        files.retire().unwrap();
        assert_eq!(read(&files.previous()).unwrap(), "");

        let again = UserKeyFiles::open_or_create(dir.path()).unwrap();
        assert_eq!(again.secret().unwrap(), second);
        let mode = std::fs::metadata(again.current()).unwrap().permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
    }
}
