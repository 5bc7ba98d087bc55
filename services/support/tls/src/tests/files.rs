//! Which files are taken, and which are named.

use super::*;

fn load_error(dir: &TempDir) -> String {
    let refused = Identity::load(IdentityFiles::in_dir(dir.path())).unwrap_err();
    refused.to_string()
}

#[test]
fn an_identity_is_named_by_its_certificate() {
    let identity = load(&Ca::new().identity_of("payments"));
    assert_eq!(&*identity.name(), "payments");
    let left = identity
        .expires_at()
        .duration_since(std::time::SystemTime::now());
    assert!(left.unwrap() > Duration::from_secs(29 * 24 * 3600));
}

#[test]
fn what_cannot_be_used_is_named_with_its_file() {
    let ca = Ca::new();
    let fine = ca.sign(&Wanted::default());
    let other = ca.sign(&Wanted::default());
    let dir = tempfile::tempdir().unwrap();
    assert!(load_error(&dir).contains("tls.crt cannot be read"));

    write(dir.path(), &(fine.0.clone(), other.1), &ca.pem());
    let mismatch = load_error(&dir);
    assert!(mismatch.contains("tls.key is not the key of"), "{mismatch}");

    write(
        dir.path(),
        &(fine.0.clone(), "no key".to_owned()),
        &ca.pem(),
    );
    assert!(load_error(&dir).contains("tls.key holds no private key"));

    write(dir.path(), &fine, "no certificate");
    assert!(load_error(&dir).contains("ca.crt holds no certificate"));

    write(dir.path(), &fine, &Ca::new().pem());
    let stranger = load_error(&dir);
    assert!(
        stranger.contains("is not signed by any CA in"),
        "{stranger}"
    );

    for (starts, ends, says) in [(-3, -1, "has expired"), (1, 3, "is not valid yet")] {
        let wanted = Wanted {
            starts: time::Duration::days(starts),
            ends: time::Duration::days(ends),
            ..Wanted::default()
        };
        write(dir.path(), &ca.sign(&wanted), &ca.pem());
        assert!(load_error(&dir).contains(says), "{says}");
    }

    write(dir.path(), &fine, &ca.pem());
    load(&dir);
}

#[test]
fn a_certificate_names_exactly_one_service() {
    let ca = Ca::new();
    let dir = tempfile::tempdir().unwrap();
    for uris in [
        &[][..],
        &["spiffe://shopapi/svc/"],
        &["spiffe://shopapi/svc/Orders"],
        &["spiffe://shopapi/svc/orders/admin"],
        &["spiffe://elsewhere/svc/orders"],
        &[
            "spiffe://shopapi/svc/orders",
            "spiffe://shopapi/svc/shopctl",
        ],
        &["spiffe://shopapi/svc/orders", "https://example.com"],
    ] {
        let wanted = Wanted {
            uris,
            ..Wanted::default()
        };
        write(dir.path(), &ca.sign(&wanted), &ca.pem());
        assert!(load_error(&dir).contains("names no service"), "{uris:?}");
    }
}

#[test]
fn a_replacement_is_taken_as_a_whole_or_not_at_all() {
    let ca = Ca::new();
    let dir = ca.identity_of("orders");
    let identity = load(&dir);
    let first = identity.serial();

    let next = ca.sign(&Wanted::default());
    fs::write(dir.path().join("tls.crt"), &next.0).unwrap();
    assert!(refused(&identity).contains("is not the key of"));
    assert_eq!(identity.serial(), first);
    fs::write(dir.path().join("tls.key"), &next.1).unwrap();
    replaced(&identity);
    assert_ne!(identity.serial(), first);

    let other = ca.identity_of("payments");
    for file in ["tls.crt", "tls.key"] {
        fs::copy(other.path().join(file), dir.path().join(file)).unwrap();
    }
    assert!(refused(&identity).contains("belongs to payments, but this process is orders"));
    assert_eq!(&*identity.name(), "orders");
}

#[test]
fn a_renewal_that_is_not_valid_yet_is_taken_when_its_time_comes() {
    let ca = Ca::new();
    let dir = ca.identity_of("orders");
    let identity = load(&dir);
    let first = identity.serial();

    // As by a clock that is a little ahead; certificates know whole seconds.
    let ahead = Wanted {
        starts: time::Duration::seconds(3),
        ..Wanted::default()
    };
    write(dir.path(), &ca.sign(&ahead), &ca.pem());
    assert!(refused(&identity).contains("is not valid yet"));
    assert_eq!(identity.serial(), first);
    let began = std::time::Instant::now();
    while !matches!(identity.look(), Look::Replaced) {
        assert!(began.elapsed() < Duration::from_secs(20), "never taken");
        std::thread::yield_now();
    }
    assert_ne!(identity.serial(), first);
}
