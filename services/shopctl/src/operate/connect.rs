//! The way to the services' admin doors.

use std::path::PathBuf;
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;
use devstack::PortMap;
use shopapi_proto::admin::v1::orders_admin_client::OrdersAdminClient;
use shopapi_proto::admin::v1::payments_admin_client::PaymentsAdminClient;
use shopapi_proto::admin::v1::{Act, SettleOpenAttemptsRequest};
use shopapi_rpc::{Balanced, Credentials};
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::{Code, Response, Status};

use crate::checkout::StackArgs;
use crate::dev::STATE;

/// Who operates.
const IDENTITY: &str = "shopctl";
/// Where a stack keeps keys and certificates, in its own directory.
const PKI: &str = "pki";
/// How long an answer may take; above what the services allow themselves.
const ANSWER_DEADLINE: Duration = Duration::from_secs(20);

/// Where the services are; without it those of `shopctl dev`.
#[derive(Debug, Clone, Default, Args)]
pub struct Services {
    /// Where orders serves gRPC; without it the stack of `shopctl dev`
    #[arg(long, value_name = "URL", env = "SHOPCTL_ORDERS_URL", global = true)]
    pub orders: Option<String>,
    /// Where payments serves gRPC; without it the stack of `shopctl dev`
    #[arg(long, value_name = "URL", env = "SHOPCTL_PAYMENTS_URL", global = true)]
    pub payments: Option<String>,
    /// This command's certificate: a directory with tls.crt, tls.key and ca.crt of shopctl; without it that of the stack of `shopctl dev`
    #[arg(long, value_name = "DIR", env = "SHOPCTL_TLS_DIR", global = true)]
    pub tls_dir: Option<PathBuf>,
    /// The key that signs this command's tokens; without it jwt.key beside the certificate
    #[arg(long, value_name = "FILE", env = "SHOPCTL_SERVICE_KEY", global = true)]
    pub service_key: Option<PathBuf>,
    /// Where the files of stacks are kept
    #[arg(long, value_name = "DIR", env = "SHOPCTL_HOME", global = true)]
    pub home: Option<PathBuf>,
}

/// The service does not answer.
#[derive(Debug, thiserror::Error)]
#[error("{service} does not answer: {reason}")]
pub struct Unreachable {
    service: &'static str,
    reason: String,
}

/// The service answered that it does not do it.
#[derive(Debug, thiserror::Error)]
#[error("{service}: {text}")]
pub(super) struct Refused {
    service: &'static str,
    text: String,
    pub(super) is_missing: bool,
}

impl Services {
    fn url(&self, given: Option<&String>, service: &'static str) -> Result<String> {
        if let Some(url) = given {
            return Ok(url.clone());
        }
        let ports = PortMap::of_stack(&self.state()?).unwrap_or(PortMap::STANDARD);
        let addr = ports
            .grpc_of(service)
            .with_context(|| format!("{service} has no gRPC port"))?;
        Ok(format!("https://{addr}"))
    }

    /// The files of the stack of `shopctl dev`.
    fn state(&self) -> Result<PathBuf> {
        let stack = StackArgs {
            home: self.home.clone(),
            ..StackArgs::default()
        };
        Ok(stack.home()?.join(STATE))
    }

    /// Who this command is: the only identity that the admin doors open for.
    fn credentials(&self) -> Result<Credentials> {
        let dir = match &self.tls_dir {
            Some(dir) => dir.clone(),
            None => self.state()?.join(PKI).join(IDENTITY),
        };
        let key = match &self.service_key {
            Some(key) => key.clone(),
            None => dir.join("jwt.key"),
        };
        Credentials::load(IDENTITY, &dir, &key).with_context(|| {
            format!("who operates needs the identity of {IDENTITY}; start `make dev`, or say --tls-dir DIR")
        })
    }

    async fn channel(&self, service: &'static str, url: String) -> Result<Channel> {
        let endpoints = url
            .parse()
            .with_context(|| format!("--{service} {url} is no URL of a service"))?;
        let channel = Balanced::connect(endpoints, self.credentials()?.towards(service));
        match channel.ready().await {
            Ok(()) => Ok(Channel(channel)),
            Err(status) => Err(Unreachable {
                service,
                reason: format!(
                    "{} ({url}); start `make dev`, or say --{service} URL",
                    status.message()
                ),
            }
            .into()),
        }
    }

    /// The admin door of orders.
    ///
    /// # Errors
    /// [`Unreachable`], or a URL that is none.
    pub async fn orders(&self) -> Result<OrdersAdminClient<Channel>> {
        let url = self.url(self.orders.as_ref(), "orders")?;
        Ok(OrdersAdminClient::new(self.channel("orders", url).await?))
    }

    /// The admin door of payments.
    ///
    /// # Errors
    /// [`Unreachable`], or a URL that is none.
    pub async fn payments(&self) -> Result<PaymentsAdminClient<Channel>> {
        let url = self.url(self.payments.as_ref(), "payments")?;
        Ok(PaymentsAdminClient::new(
            self.channel("payments", url).await?,
        ))
    }
}

/// The way to a service, on which every call ends.
#[derive(Clone, Debug)]
pub struct Channel(Balanced);

impl Service<http::Request<Body>> for Channel {
    type Response = http::Response<Body>;
    type Error = Status;
    type Future = BoxFuture<http::Response<Body>, Status>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let answer = self.0.call(request);
        Box::pin(async move {
            match tokio::time::timeout(ANSWER_DEADLINE, answer).await {
                Ok(answer) => answer,
                Err(_elapsed) => Err(Status::deadline_exceeded("it does not answer in time")),
            }
        })
    }
}

/// The answer, or why there is none.
pub(super) fn answered<T>(service: &'static str, answer: Result<Response<T>, Status>) -> Result<T> {
    match answer {
        Ok(answer) => Ok(answer.into_inner()),
        Err(status) => {
            let text = status.message().to_owned();
            Err(match status.code() {
                Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled => Unreachable {
                    service,
                    reason: text,
                }
                .into(),
                Code::Unimplemented => Refused {
                    service,
                    text: "it is too old to be operated; upgrade it".to_owned(),
                    is_missing: false,
                }
                .into(),
                code => Refused {
                    service,
                    text,
                    is_missing: code == Code::NotFound,
                }
                .into(),
            })
        }
    }
}

/// Has payments look up at once what waits for its time; how many.
///
/// # Errors
/// When payments does not answer.
pub async fn settle_open_attempts(services: &Services, act: Act) -> Result<i32> {
    let request = SettleOpenAttemptsRequest { act: Some(act) };
    let answer = services
        .payments()
        .await?
        .settle_open_attempts(request)
        .await;
    Ok(answered("payments", answer)?.brought_forward)
}
