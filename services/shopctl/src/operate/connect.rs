//! The way to the services' admin doors.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use devstack::PortMap;
use shopapi_proto::admin::v1::orders_admin_client::OrdersAdminClient;
use shopapi_proto::admin::v1::payments_admin_client::PaymentsAdminClient;
use shopapi_proto::admin::v1::{Act, SettleOpenAttemptsRequest};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Response, Status};

use crate::checkout::StackArgs;
use crate::dev::STATE;

/// How long a service may take to be reached.
const CONNECT_DEADLINE: Duration = Duration::from_secs(3);
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
        let stack = StackArgs {
            home: self.home.clone(),
            ..StackArgs::default()
        };
        let ports = PortMap::of_stack(&stack.home()?.join(STATE)).unwrap_or(PortMap::STANDARD);
        let addr = ports
            .grpc_of(service)
            .with_context(|| format!("{service} has no gRPC port"))?;
        Ok(format!("http://{addr}"))
    }

    /// The admin door of orders.
    ///
    /// # Errors
    /// [`Unreachable`], or a URL that is none.
    pub async fn orders(&self) -> Result<OrdersAdminClient<Channel>> {
        let url = self.url(self.orders.as_ref(), "orders")?;
        Ok(OrdersAdminClient::new(channel("orders", url).await?))
    }

    /// The admin door of payments.
    ///
    /// # Errors
    /// [`Unreachable`], or a URL that is none.
    pub async fn payments(&self) -> Result<PaymentsAdminClient<Channel>> {
        let url = self.url(self.payments.as_ref(), "payments")?;
        Ok(PaymentsAdminClient::new(channel("payments", url).await?))
    }
}

async fn channel(service: &'static str, url: String) -> Result<Channel> {
    let endpoint = Endpoint::from_shared(url.clone())
        .with_context(|| format!("{url} is no URL"))?
        .connect_timeout(CONNECT_DEADLINE)
        .timeout(ANSWER_DEADLINE);
    endpoint.connect().await.map_err(|_| {
        Unreachable {
            service,
            reason: format!("nothing listens at {url}; start `make dev`, or say --{service} URL"),
        }
        .into()
    })
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
