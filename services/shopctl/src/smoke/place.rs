//! Where the system under test is: options and environment, or the state of `make dev`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use devstack::PortMap;

use crate::audit::Target;
use crate::checkout::StackArgs;
use crate::dev::STATE;

/// Options of `shopctl smoke`. Without --gateway the running `make dev` is tested.
#[derive(Debug, Args)]
pub struct PlaceArgs {
    /// The public API; without it the stack of `shopctl dev`
    #[arg(long, value_name = "URL", env = "SHOPCTL_GATEWAY_URL")]
    gateway: Option<String>,
    /// Where orders serves gRPC
    #[arg(
        long,
        value_name = "URL",
        env = "SHOPCTL_ORDERS_URL",
        requires = "gateway"
    )]
    orders: Option<String>,
    /// Where inventory serves gRPC
    #[arg(
        long,
        value_name = "URL",
        env = "SHOPCTL_INVENTORY_URL",
        requires = "gateway"
    )]
    inventory: Option<String>,
    /// Where payments serves gRPC
    #[arg(
        long,
        value_name = "URL",
        env = "SHOPCTL_PAYMENTS_URL",
        requires = "gateway"
    )]
    payments: Option<String>,
    /// The bus
    #[arg(
        long,
        value_name = "URL",
        env = "SHOPCTL_NATS_URL",
        requires = "gateway"
    )]
    nats: Option<String>,
    /// The folder with the identities `shopctl` and `orders`, each with tls.crt, tls.key, ca.crt and jwt.key
    #[arg(long, value_name = "DIR", env = "SHOPCTL_PKI")]
    pki: Option<PathBuf>,
    /// The folder with orders-url, inventory-url, payments-url, provider-url of the role shopapi_audit
    #[arg(
        long,
        value_name = "DIR",
        env = "SHOPCTL_AUDIT_URLS",
        requires = "gateway"
    )]
    audit_urls: Option<PathBuf>,
    /// Jaeger's query API; without it no trace is looked for
    #[arg(
        long,
        value_name = "URL",
        env = "SHOPCTL_JAEGER_URL",
        requires = "gateway"
    )]
    jaeger: Option<String>,
    /// The Collector's metrics; without them no counter is compared
    #[arg(
        long,
        value_name = "URL",
        env = "SHOPCTL_METRICS_URL",
        requires = "gateway"
    )]
    metrics: Option<String>,
    /// Where the files of stacks are kept
    #[arg(long, value_name = "DIR", env = "SHOPCTL_HOME")]
    home: Option<PathBuf>,
}

/// Everything a check may need.
#[derive(Debug)]
pub(super) struct Place {
    /// As people call it.
    pub(super) name: String,
    pub(super) gateway: String,
    /// gRPC of orders, inventory, payments.
    pub(super) grpc: [(&'static str, String); 3],
    pub(super) nats: String,
    pub(super) pki: PathBuf,
    pub(super) audit: Target,
    pub(super) jaeger: Option<String>,
    pub(super) metrics: Option<String>,
}

impl PlaceArgs {
    /// The place that was asked for.
    ///
    /// # Errors
    /// Names what is missing.
    pub(super) fn place(&self) -> Result<Place> {
        match &self.gateway {
            Some(gateway) => self.given(gateway),
            None => self.dev(),
        }
    }

    fn given(&self, gateway: &str) -> Result<Place> {
        let missing =
            |name: &str| format!("--{name} is missing: with --gateway everything has to be named");
        let pki = self.pki.clone().with_context(|| missing("pki"))?;
        let urls = self
            .audit_urls
            .as_deref()
            .with_context(|| missing("audit-urls"))?;
        let url = |url: &Option<String>, name: &'static str| -> Result<(&'static str, String)> {
            Ok((name, url.clone().with_context(|| missing(name))?))
        };
        Ok(Place {
            name: gateway.to_owned(),
            gateway: gateway.trim_end_matches('/').to_owned(),
            grpc: [
                url(&self.orders, "orders")?,
                url(&self.inventory, "inventory")?,
                url(&self.payments, "payments")?,
            ],
            nats: self.nats.clone().with_context(|| missing("nats"))?,
            audit: Target::of_files(urls, &ca_of(&pki))?,
            pki,
            jaeger: named(self.jaeger.as_ref()),
            metrics: named(self.metrics.as_ref()),
        })
    }

    fn dev(&self) -> Result<Place> {
        let stack = StackArgs {
            home: self.home.clone(),
            ..StackArgs::default()
        };
        let state = stack.home()?.join(STATE);
        let ports = PortMap::of_stack(&state).context(
            "`shopctl dev` has never run here; start it, or name a system with --gateway",
        )?;
        let [orders, inventory, payments] =
            ["orders", "inventory", "payments"].map(|service| (service, ports.urls_of(service)));
        let telemetry = ports.telemetry;
        Ok(Place {
            name: "make dev".to_owned(),
            gateway: format!("http://127.0.0.1:{}", ports.gateway),
            grpc: [orders, inventory, payments],
            nats: format!("tls://127.0.0.1:{}", ports.nats),
            audit: Target::of_state(&state, &ports)?,
            pki: self.pki.clone().unwrap_or_else(|| state.join("pki")),
            jaeger: Some(format!("http://127.0.0.1:{}", telemetry.page)),
            metrics: Some(format!("http://127.0.0.1:{}/metrics", telemetry.prometheus)),
        })
    }
}

/// An empty value is an absent one: that is how templates and scripts leave things out.
fn named(url: Option<&String>) -> Option<String> {
    url.filter(|url| !url.is_empty()).cloned()
}

/// Whom the servers' certificates are checked against.
fn ca_of(pki: &Path) -> PathBuf {
    pki.join("shopctl/ca.crt")
}
