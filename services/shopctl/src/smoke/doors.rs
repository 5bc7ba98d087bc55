//! Who gets in and who does not: each refusal beside the same call that succeeds, so that a closed port cannot pass.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rcgen::{CertificateParams, KeyPair, SanType};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use shopapi_proto::admin::v1::ListSagasRequest;
use shopapi_proto::admin::v1::orders_admin_client::OrdersAdminClient;
use shopapi_proto::inventory::v1::ListProductsRequest;
use shopapi_proto::inventory::v1::catalog_service_client::CatalogServiceClient;
use shopapi_proto::payments::v1::GetPaymentRequest;
use shopapi_proto::payments::v1::payments_service_client::PaymentsServiceClient;
use shopapi_rpc::{Balanced, Credentials, Endpoints};
use shopapi_tls::{Identity, IdentityFiles};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};
use tonic::{Code, Response, Status};

use super::place::Place;
use super::{Failure, Report, Said};

const DEADLINE: Duration = Duration::from_secs(5);
const H2: &[u8] = b"h2";
/// How an HTTP/2 client begins: the preface and empty settings (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";
/// Length and type of a frame; a server begins with its settings, type 4.
const FRAME_HEAD: usize = 9;
const SETTINGS: u8 = 4;

/// All doors, one after the other.
pub(super) async fn check(
    place: &Place,
    paid: i64,
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    for (service, url) in &place.grpc {
        let what = format!("{service}: no certificate and a strange one are refused, ours is not");
        report
            .check(
                &what,
                "the identity of shopctl; scripts/gen-certs.sh",
                async { certificates(place, url).await },
            )
            .await?;
    }
    report
        .check(
            "inventory tells its catalogue to orders, not to shopctl",
            "services/support/rpc/src/acl.rs",
            async { catalogue(place).await },
        )
        .await?;
    report
        .check(
            "payments answers orders, not shopctl",
            "services/support/rpc/src/acl.rs",
            async { payments(place, paid).await },
        )
        .await?;
    report
        .check(
            "orders shows its sagas to shopctl, not to orders",
            "services/support/rpc/src/acl.rs",
            async { sagas(place).await },
        )
        .await
}

async fn certificates(place: &Place, urls: &str) -> Result<Said<()>> {
    let url = urls.split(',').next().unwrap_or(urls);
    let (host, port) = url
        .strip_prefix("https://")
        .and_then(|address| address.trim_end_matches('/').rsplit_once(':'))
        .with_context(|| format!("{url} is not of the form https://host:port"))?;
    let port: u16 = port.parse().with_context(|| format!("{url} has no port"))?;
    let dir = place.pki.join("shopctl");
    let ours = Identity::load(IdentityFiles::in_dir(&dir))?.client_config(&[H2]);
    knock(ours, host, port)
        .await
        .context("the certificate of shopctl is refused")?;
    let mut reasons = Vec::new();
    for (who, config) in [
        ("no certificate", nobody(&dir)?),
        ("a strange certificate", stranger(&dir)?),
    ] {
        match knock(config, host, port).await {
            Ok(()) => bail!("{who} is let in"),
            Err(reason) => reasons.push(last_words(&reason)),
        }
    }
    Ok(Said::new((), reasons.join("; ")))
}

/// Opens HTTP/2 as far as the server's first frame: with TLS 1.3 a refused certificate shows on the first read.
async fn knock(config: Arc<ClientConfig>, host: &str, port: u16) -> Result<()> {
    let exchange = async {
        let tcp = TcpStream::connect((host, port))
            .await
            .context("connecting")?;
        let name = ServerName::try_from(host.to_owned()).context("the host is no name")?;
        let mut tls = TlsConnector::from(config).connect(name, tcp).await?;
        tls.write_all(PREFACE).await?;
        tls.flush().await?;
        let mut head = [0; FRAME_HEAD];
        tls.read_exact(&mut head).await?;
        ensure!(
            head.get(3) == Some(&SETTINGS),
            "the server does not speak HTTP/2"
        );
        Ok(())
    };
    tokio::time::timeout(DEADLINE, exchange)
        .await
        .context("no answer")?
}

fn last_words(reason: &anyhow::Error) -> String {
    reason.root_cause().to_string()
}

fn believing(dir: &Path) -> Result<ConfigBuilder<ClientConfig, WantsVerifier>> {
    ensure!(dir.is_dir(), "{} is no folder", dir.display());
    let provider = Arc::new(aws_lc_rs::default_provider());
    Ok(ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&TLS13])?)
}

fn roots(dir: &Path) -> Result<RootCertStore> {
    let file = dir.join("ca.crt");
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(&file)
        .with_context(|| format!("reading {}", file.display()))?
    {
        roots.add(certificate?)?;
    }
    Ok(roots)
}

/// Somebody without a certificate.
fn nobody(dir: &Path) -> Result<Arc<ClientConfig>> {
    let mut config = believing(dir)?
        .with_root_certificates(roots(dir)?)
        .with_no_client_auth();
    config.alpn_protocols = vec![H2.to_vec()];
    Ok(Arc::new(config))
}

/// Somebody who vouches for himself to be shopctl.
fn stranger(dir: &Path) -> Result<Arc<ClientConfig>> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(vec!["localhost".to_owned()])?;
    params
        .subject_alt_names
        .push(SanType::URI("spiffe://shopapi/svc/shopctl".try_into()?));
    let certificate = params.self_signed(&key)?.der().clone();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut config = believing(dir)?
        .with_root_certificates(roots(dir)?)
        .with_client_auth_cert(vec![certificate], key)?;
    config.alpn_protocols = vec![H2.to_vec()];
    Ok(Arc::new(config))
}

/// The channel to a service under one of the identities.
fn channel(place: &Place, who: &str, callee: &'static str) -> Result<Balanced> {
    let dir = place.pki.join(who);
    let credentials = Credentials::load(who, &dir, &dir.join("jwt.key"))?;
    let (_, url) = place
        .grpc
        .iter()
        .find(|(service, _)| *service == callee)
        .context("no such service")?;
    let endpoints: Endpoints = url
        .parse()
        .with_context(|| format!("{url} is no address of {callee}"))?;
    Ok(Balanced::connect(endpoints, credentials.towards(callee)))
}

/// One of the two is refused with `PERMISSION_DENIED`, the other answered.
fn pair<T>(
    refused: Result<Response<T>, Status>,
    answered: Result<Response<T>, Status>,
) -> Result<Said<T>> {
    let answer = match answered {
        Ok(answer) => answer.into_inner(),
        Err(status) => bail!(
            "who may is refused: {}: {}",
            status.code(),
            status.message()
        ),
    };
    match refused {
        Ok(_) => bail!("who may not is answered"),
        Err(status) if status.code() == Code::PermissionDenied => {
            Ok(Said::new(answer, status.message()))
        }
        Err(status) => bail!(
            "refused for another reason: {}: {}",
            status.code(),
            status.message()
        ),
    }
}

async fn catalogue(place: &Place) -> Result<Said<()>> {
    let ask = async |who: &str| {
        let mut client = CatalogServiceClient::new(channel(place, who, "inventory")?);
        anyhow::Ok(bounded(client.list_products(ListProductsRequest::default())).await)
    };
    let Said { detail, .. } = pair(ask("shopctl").await?, ask("orders").await?)?;
    Ok(Said::new((), detail))
}

async fn payments(place: &Place, paid: i64) -> Result<Said<()>> {
    let books = place.audit.connect("paymentsdb").await?;
    let row = books
        .query_one(
            "SELECT payment_id::text FROM payments WHERE order_id = $1",
            &[&paid],
        )
        .await;
    let payment_id: String = row.context("reading the payment")?.get(0);
    let ask = async |who: &str| {
        let mut client = PaymentsServiceClient::new(channel(place, who, "payments")?);
        let request = GetPaymentRequest {
            payment_ids: vec![payment_id.clone()],
        };
        anyhow::Ok(bounded(client.get_payment(request)).await)
    };
    let Said { value, detail } = pair(ask("shopctl").await?, ask("orders").await?)?;
    ensure!(
        value.results.len() == 1,
        "payments knows nothing of payment {payment_id}"
    );
    Ok(Said::new((), detail))
}

async fn sagas(place: &Place) -> Result<Said<()>> {
    let ask = async |who: &str| {
        let mut client = OrdersAdminClient::new(channel(place, who, "orders")?);
        anyhow::Ok(bounded(client.list_sagas(ListSagasRequest::default())).await)
    };
    let Said { detail, .. } = pair(ask("orders").await?, ask("shopctl").await?)?;
    Ok(Said::new((), detail))
}

async fn bounded<T>(
    call: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<Response<T>, Status> {
    tokio::time::timeout(DEADLINE, call)
        .await
        .unwrap_or_else(|_| Err(Status::deadline_exceeded("no answer")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_needs_both_halves() {
        let denied = || Err::<Response<()>, _>(Status::permission_denied("shopctl may not"));
        let fine = || Ok(Response::new(()));
        assert_eq!(
            pair(denied(), fine()).map(|said| said.detail).unwrap(),
            "shopctl may not"
        );
        let error = |refused, answered| pair(refused, answered).err().unwrap().to_string();
        assert!(error(fine(), fine()).contains("who may not is answered"));
        assert!(error(denied(), denied()).contains("who may is refused"));
        assert!(error(Err(Status::unavailable("down")), fine()).contains("another reason"));
    }
}
