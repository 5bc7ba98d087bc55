//! Who runs PostgreSQL. It refuses to run as root, so a root caller drops to an unprivileged account with
//! `setpriv`; anybody else runs it as themselves.

use std::path::Path;

use crate::child::setpriv;
use crate::error::Error;

/// An unprivileged account that a root caller drops to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// The account PostgreSQL runs as: `None` means the caller's own.
///
/// # Errors
/// [`Error::Missing`] when a root caller has no `setpriv`.
pub(crate) fn for_postgres() -> Result<Option<Identity>, Error> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    if setpriv().is_none() {
        return Err(Error::Missing {
            what: "setpriv (PostgreSQL refuses to run as root; setpriv drops the privileges)"
                .to_owned(),
            install: "apt-get install -y util-linux".to_owned(),
        });
    }
    let passwd =
        std::fs::read_to_string("/etc/passwd").map_err(Error::io("reading /etc/passwd"))?;
    // A machine that has PostgreSQL installed has an account for it; every machine has nobody.
    ["postgres", "nobody"]
        .iter()
        .find_map(|name| lookup(&passwd, name))
        .map(Some)
        .ok_or_else(|| {
            Error::Step("no account `nobody` in /etc/passwd to run PostgreSQL as".to_owned())
        })
}

fn lookup(passwd: &str, name: &str) -> Option<Identity> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next()? != name {
            return None;
        }
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(Identity { uid, gid })
    })
}

/// Gives a file or directory to the account, when there is one.
pub(crate) fn give(path: &Path, identity: Option<Identity>) -> Result<(), Error> {
    let Some(identity) = identity else {
        return Ok(());
    };
    std::os::unix::fs::chown(path, Some(identity.uid), Some(identity.gid)).map_err(Error::io(
        format!("giving {} to uid {}", path.display(), identity.uid),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_uid_and_gid_by_exact_name() {
        let passwd =
            "root:x:0:0:root:/root:/bin/sh\nnobody2:x:1:2::/:/x\nnobody:x:65534:65533:n:/:/x\n";
        assert_eq!(
            lookup(passwd, "nobody"),
            Some(Identity {
                uid: 65_534,
                gid: 65_533
            })
        );
        assert_eq!(lookup(passwd, "postgres"), None);
    }
}
