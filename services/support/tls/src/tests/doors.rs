//! Who gets in. Each refusal stands beside the same call that succeeds.

use super::*;

const IN: &str = "gateway";

/// A server of `orders`, and a caller that it lets in.
async fn open_door(ca: &Ca) -> (SocketAddr, Identity, Identity) {
    let server = load(&ca.identity_of("orders"));
    let caller = load(&ca.identity_of(IN));
    let addr = serve(server.server_config(ALPN), HandshakeLimits::default()).await;
    assert_eq!(call(addr, caller.client_config(ALPN)).await.unwrap(), IN);
    (addr, server, caller)
}

#[tokio::test]
async fn tls_1_2_is_refused() {
    let ca = Ca::new();
    let (addr, _server, _caller) = open_door(&ca).await;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(ca.0.der().clone()).unwrap();
    let dir = ca.identity_of(IN);
    let read = |file| fs::read(dir.path().join(file)).unwrap();
    use rustls_pki_types::pem::PemObject as _;
    let chain = rustls_pki_types::CertificateDer::from_pem_slice(&read("tls.crt")).unwrap();
    let key = rustls_pki_types::PrivateKeyDer::from_pem_slice(&read("tls.key")).unwrap();
    let with = |version: &'static rustls::SupportedProtocolVersion| {
        let config = ClientConfig::builder_with_provider(configs::provider())
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots.clone())
            .with_client_auth_cert(vec![chain.clone()], key.clone_key())
            .unwrap();
        Arc::new(config)
    };
    let refused = call(addr, with(&rustls::version::TLS12)).await.unwrap_err();
    assert!(refused.contains("ProtocolVersion"), "{refused}");
    let let_in = call(addr, with(&rustls::version::TLS13)).await;
    assert_eq!(let_in.unwrap(), IN);
}

#[tokio::test]
async fn a_caller_without_a_certificate_is_refused() {
    let ca = Ca::new();
    let (addr, _server, _caller) = open_door(&ca).await;
    let dir = ca.identity_of(IN);
    let nobody = TrustedRoots::load(dir.path().join("ca.crt")).unwrap();
    let refused = call(addr, nobody.client_config(ALPN)).await.unwrap_err();
    assert!(refused.contains("CertificateRequired"), "{refused}");
}

#[tokio::test]
async fn a_caller_of_another_ca_is_refused_and_refuses() {
    let ca = Ca::new();
    let (addr, _server, _caller) = open_door(&ca).await;
    let elsewhere = Ca::new();
    let dir = elsewhere.identity_of(IN);
    let stranger = load(&dir);
    let refuses = call(addr, stranger.client_config(ALPN)).await.unwrap_err();
    assert!(refuses.contains("UnknownIssuer"), "{refuses}");

    let ours = TrustedRoots::load(ca.identity_of(IN).path().join("ca.crt")).unwrap();
    let believes = stranger.client_config_trusting(&ours, ALPN).unwrap();
    let refused = call(addr, believes).await.unwrap_err();
    assert!(refused.contains("UnknownCA"), "{refused}");
}

#[tokio::test]
async fn a_certificate_of_our_ca_that_names_no_service_is_refused() {
    let ca = Ca::new();
    let (addr, _server, _caller) = open_door(&ca).await;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(ca.0.der().clone()).unwrap();
    use rustls_pki_types::pem::PemObject as _;
    let with = |uris| {
        let (cert, key) = ca.sign(&Wanted {
            uris,
            ..Wanted::default()
        });
        let chain = rustls_pki_types::CertificateDer::from_pem_slice(cert.as_bytes()).unwrap();
        let key = rustls_pki_types::PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let config = ClientConfig::builder_with_provider(configs::provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots.clone())
            .with_client_auth_cert(vec![chain], key)
            .unwrap();
        Arc::new(config)
    };
    call(addr, with(&[])).await.unwrap_err();
    let let_in = call(addr, with(&["spiffe://shopapi/svc/gateway"])).await;
    assert_eq!(let_in.unwrap(), IN);
}

#[tokio::test]
async fn a_protocol_that_nobody_offered_is_refused() {
    let ca = Ca::new();
    let (addr, _server, caller) = open_door(&ca).await;
    let refused = call(addr, caller.client_config(&[b"http/1.1"])).await;
    let refused = refused.unwrap_err();
    assert!(refused.contains("NoApplicationProtocol"), "{refused}");
}

#[tokio::test]
async fn new_connections_follow_a_rotation_of_certificate_and_ca() {
    let old = Ca::new();
    let new = Ca::new();
    let server_dir = old.identity_of("orders");
    let caller_dir = old.identity_of(IN);
    let (server, caller) = (load(&server_dir), load(&caller_dir));
    // Made once: the same objects serve all that follows.
    let (config, own) = (server.server_config(ALPN), caller.client_config(ALPN));
    let addr = serve(config, HandshakeLimits::default()).await;
    let stale = load(&old.identity_of("payments"));
    let both = old.pem() + &new.pem();

    for (dir, identity) in [(&server_dir, &server), (&caller_dir, &caller)] {
        fs::write(dir.path().join("ca.crt"), &both).unwrap();
        replaced(identity);
        assert_eq!(call(addr, Arc::clone(&own)).await.unwrap(), IN);
    }
    for (dir, identity, name) in [(&server_dir, &server, "orders"), (&caller_dir, &caller, IN)] {
        let before = identity.serial();
        let uri = format!("spiffe://shopapi/svc/{name}");
        let wanted = Wanted {
            uris: &[&uri],
            ..Wanted::default()
        };
        write(dir.path(), &new.sign(&wanted), &both);
        replaced(identity);
        assert_ne!(identity.serial(), before);
        assert_eq!(call(addr, Arc::clone(&own)).await.unwrap(), IN);
    }
    let trusting_both = TrustedRoots::load(caller_dir.path().join("ca.crt")).unwrap();
    let stale = stale.client_config_trusting(&trusting_both, ALPN).unwrap();
    assert_eq!(call(addr, Arc::clone(&stale)).await.unwrap(), "payments");
    for (dir, identity) in [(&server_dir, &server), (&caller_dir, &caller)] {
        fs::write(dir.path().join("ca.crt"), new.pem()).unwrap();
        replaced(identity);
        assert_eq!(call(addr, Arc::clone(&own)).await.unwrap(), IN);
    }
    let refused = call(addr, stale).await.unwrap_err();
    assert!(refused.contains("UnknownCA"), "{refused}");
}

#[tokio::test]
async fn a_public_certificate_asks_nobody_who_they_are() {
    let ca = Ca::new();
    let dir = ca.identity_of("gateway");
    let files = IdentityFiles::in_dir(dir.path());
    let public = ServerCertificate::load(files.cert, files.key).unwrap();
    let addr = serve(
        public.server_config(&[b"http/1.1"]),
        HandshakeLimits::default(),
    )
    .await;
    let roots = TrustedRoots::load(files.ca).unwrap();
    let said = call(addr, roots.client_config(&[b"http/1.1"])).await;
    assert_eq!(said.unwrap(), "nobody");
}

#[tokio::test]
async fn callers_that_say_nothing_hold_their_places_only_until_the_deadline() {
    let ca = Ca::new();
    let server = load(&ca.identity_of("orders"));
    let caller = load(&ca.identity_of(IN));
    let limits = HandshakeLimits {
        deadline: Duration::from_millis(300),
        in_flight_max: 2,
    };
    let addr = serve(server.server_config(ALPN), limits).await;
    let mut silent = Vec::new();
    for _ in 0..4 {
        silent.push(TcpStream::connect(addr).await.unwrap());
    }
    let began = std::time::Instant::now();
    assert_eq!(call(addr, caller.client_config(ALPN)).await.unwrap(), IN);
    assert!(
        began.elapsed() >= 2 * limits.deadline - Duration::from_millis(50),
        "four that say nothing take two rounds of two places"
    );
    for mut stream in silent {
        let mut rest = Vec::new();
        // Ended by the server, with or without a reset.
        let _ = stream.read_to_end(&mut rest).await;
    }
}
