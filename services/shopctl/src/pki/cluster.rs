//! The Kubernetes API, as far as a Secret is read and filled. The only file of `shopctl` that speaks to it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use serde_json::{Value, json};
use shopapi_tls::TrustedRoots;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::fill::{Secret, Texts};

/// Where Kubernetes puts a pod's own access.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// The API server answers in milliseconds or is away; the Job is tried again.
const ANSWER_DEADLINE: Duration = Duration::from_secs(15);
/// Above what etcd takes for one object.
const ANSWER_BYTES_MAX: usize = 2 * 1024 * 1024;

/// A connection to the API server with the rights of this pod.
pub(super) struct Cluster {
    connection: SendRequest<Full<Bytes>>,
    host: String,
    namespace: String,
    token: String,
}

impl Cluster {
    /// Connects with what Kubernetes gave this pod.
    pub(super) async fn of_this_pod() -> Result<Self> {
        #[expect(
            clippy::disallowed_methods,
            reason = "Kubernetes tells a pod by these variables where its API server is"
        )]
        let variable = |name: &str| {
            std::env::var(name)
                .with_context(|| format!("{name} is not set: this runs in a pod of the cluster"))
        };
        let host = variable("KUBERNETES_SERVICE_HOST")?;
        let port: u16 = variable("KUBERNETES_SERVICE_PORT")?
            .parse()
            .context("KUBERNETES_SERVICE_PORT is not a port")?;
        let given = |file: &str| {
            let path = Path::new(SERVICE_ACCOUNT).join(file);
            std::fs::read_to_string(&path).with_context(|| {
                format!(
                    "cannot read {}: the pod needs automountServiceAccountToken",
                    path.display()
                )
            })
        };
        let roots = TrustedRoots::load(Path::new(SERVICE_ACCOUNT).join("ca.crt"))?;
        let connecting = connect(&host, port, &roots);
        let connection = tokio::time::timeout(ANSWER_DEADLINE, connecting)
            .await
            .with_context(|| format!("the API server at {host}:{port} does not answer"))??;
        Ok(Self {
            connection,
            host,
            namespace: given("namespace")?.trim().to_owned(),
            token: given("token")?.trim().to_owned(),
        })
    }

    /// A Secret with its values as text.
    pub(super) async fn read_secret(&mut self, name: &str) -> Result<Secret> {
        let answer = self.ask(Method::GET, name, None).await?;
        let mut texts = BTreeMap::new();
        for (key, value) in answer["data"].as_object().into_iter().flatten() {
            let bytes = STANDARD
                .decode(value.as_str().unwrap_or_default())
                .with_context(|| format!("{key} of the Secret {name} is not base64"))?;
            // Not a text: nothing that is made here.
            if let Ok(text) = String::from_utf8(bytes) {
                texts.insert(key.clone(), text);
            }
        }
        let version = answer["metadata"]["resourceVersion"].as_str();
        Ok(Secret {
            version: version.unwrap_or_default().to_owned(),
            texts,
        })
    }

    /// Sets keys of a Secret, unless somebody changed it since `version`.
    pub(super) async fn write_secret(
        &mut self,
        name: &str,
        version: &str,
        texts: &Texts,
    ) -> Result<()> {
        let patch = json!({"metadata": {"resourceVersion": version}, "stringData": texts});
        self.ask(Method::PATCH, name, Some(&patch)).await.map(drop)
    }

    async fn ask(&mut self, method: Method, secret: &str, body: Option<&Value>) -> Result<Value> {
        let path = format!("/api/v1/namespaces/{}/secrets/{secret}", self.namespace);
        let what = format!("{method} of the Secret {secret}");
        let request = Request::builder()
            .method(method)
            .uri(&path)
            .header("host", &self.host)
            .header("authorization", format!("Bearer {}", self.token))
            .header("accept", "application/json")
            .header("content-type", "application/merge-patch+json")
            .body(Full::new(Bytes::from(
                body.map(Value::to_string).unwrap_or_default(),
            )))?;
        let exchange = async {
            self.connection.ready().await?;
            let (head, body) = self.connection.send_request(request).await?.into_parts();
            let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
            let bytes = body.map_err(anyhow::Error::from_boxed)?.to_bytes();
            anyhow::Ok((head.status, bytes))
        };
        let (status, bytes) = tokio::time::timeout(ANSWER_DEADLINE, exchange)
            .await
            .with_context(|| format!("{what}: no answer"))?
            .with_context(|| format!("{what}: the connection broke"))?;
        let answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let said = answer["message"].as_str().unwrap_or("no reason given");
        match status {
            status if status.is_success() => Ok(answer),
            StatusCode::CONFLICT => {
                bail!("{what}: somebody else changed it meanwhile; run this again")
            }
            StatusCode::NOT_FOUND => {
                bail!("{what}: there is none; this command fills Secrets, the chart makes them")
            }
            StatusCode::FORBIDDEN => {
                bail!("{what}: not allowed; the Role must name it with get and patch: {said}")
            }
            status => bail!("{what}: {status}: {said}"),
        }
    }
}

async fn connect(host: &str, port: u16, roots: &TrustedRoots) -> Result<SendRequest<Full<Bytes>>> {
    let server = ServerName::try_from(host.to_owned())
        .with_context(|| format!("{host} is neither a name nor an address"))?;
    let stream = TcpStream::connect((host, port))
        .await
        .with_context(|| format!("cannot connect to the API server at {host}:{port}"))?;
    let tls = TlsConnector::from(Arc::clone(&roots.client_config(&[b"http/1.1"])))
        .connect(server, stream)
        .await
        .context("the API server's certificate is not believed")?;
    let (sender, connection) = http1::handshake(TokioIo::new(tls)).await?;
    tokio::spawn(connection);
    Ok(sender)
}
