//! What is wrong with a file, and what to do.

use std::path::PathBuf;

use shopapi_watched::Unreadable;

/// Why certificates, keys or roots are not used. Names the file, never its contents.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// Not PEM, or nothing of the wanted kind in it.
    #[error("{} holds no {wanted} in PEM; make it again (scripts/gen-certs.sh)", .path.display())]
    NotPem {
        /// Which file.
        path: PathBuf,
        /// What should be in it.
        wanted: &'static str,
    },
    /// Something in it cannot be used.
    #[error("{} cannot be used: {reason}", .path.display())]
    Unusable {
        /// Which file.
        path: PathBuf,
        /// What the library says.
        reason: String,
    },
    /// Key and certificate belong to different pairs.
    #[error("{} is not the key of {}; replace both", .key.display(), .cert.display())]
    KeyMismatch {
        /// The certificate.
        cert: PathBuf,
        /// The key.
        key: PathBuf,
    },
    /// Past its end.
    #[error("{} has expired; renew it (scripts/gen-certs.sh)", .0.display())]
    Expired(PathBuf),
    /// Its start lies ahead.
    #[error("{} is not valid yet; check the clock", .0.display())]
    NotYetValid(PathBuf),
    /// It names no service.
    #[error("{} names no service: it needs exactly one URI SAN spiffe://shopapi/svc/<name>", .0.display())]
    NoServiceName(PathBuf),
    /// A replacement names another service.
    #[error("{} belongs to {found}, but this process is {wanted}", .path.display())]
    OtherService {
        /// Which file.
        path: PathBuf,
        /// Who this is.
        wanted: String,
        /// Whose certificate it is.
        found: String,
    },
    /// Peers that trust the same CAs would refuse it.
    #[error("{} is not signed by any CA in {}; put the CA that signed it into the bundle", .cert.display(), .ca.display())]
    NotVouchedFor {
        /// The certificate.
        cert: PathBuf,
        /// The bundle.
        ca: PathBuf,
    },
}
