//! The page of the telemetry stand-in, and the console on it: what every process of every service is doing at this moment, the orders under way, and one order's
//! timeline.
//!
//! ```text
//!   page/          HTML, CSS and JavaScript as they are, embedded; nothing from elsewhere, and the policy forbids it
//!   poll.rs        asks every process for its tree and orders for its sagas, each second, while somebody looks
//!   presence.rs    up, gone, back: what a row of answers and silences means (pure)
//!   view.rs        answers as the page's JSON
//! ```
//!
//! **Invariants.** The console only reads. Without services to watch the page still shows traces. A process that does not answer delays nobody else's row.

mod poll;
mod presence;
mod view;

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use clap::Args;
use futures::stream;
use shopapi_rpc::Credentials;
use tokio::sync::{Semaphore, watch};

pub use poll::Watched;

/// Pages that look at once; each is a connection that stays.
const PAGES_MAX: usize = 32;

/// Which processes the console looks at.
#[derive(Debug, Clone, Default, Args)]
pub struct WatchedArgs {
    /// A process to show on the console, such as orders-1=https://127.0.0.1:9001; once for each
    #[arg(long = "watch", value_name = "NAME=URL")]
    watch: Vec<String>,
    /// The certificate, key and CA of shopctl; needed with --watch
    #[arg(long, value_name = "DIR", env = "SHOPCTL_TLS_DIR")]
    tls_dir: Option<PathBuf>,
    /// The key that signs shopctl's service tokens; jwt.key beside the certificate when absent
    #[arg(long, value_name = "FILE", env = "SHOPCTL_SERVICE_KEY")]
    service_key: Option<PathBuf>,
}

impl WatchedArgs {
    /// The console that was asked for.
    ///
    /// # Errors
    /// Which argument does not fit.
    pub fn console(&self) -> Result<Console> {
        let console = Console::default();
        if self.watch.is_empty() {
            return Ok(console);
        }
        let dir = self
            .tls_dir
            .clone()
            .context("--watch needs --tls-dir: the services answer only who shows the certificate of shopctl")?;
        let key = self
            .service_key
            .clone()
            .unwrap_or_else(|| dir.join("jwt.key"));
        let credentials = Credentials::load("shopctl", &dir, &key)?;
        let processes = self
            .watch
            .iter()
            .map(|text| {
                let (name, url) = text
                    .split_once('=')
                    .with_context(|| format!("--watch {text}: say NAME=URL"))?;
                Ok((name.to_owned(), url.to_owned()))
            })
            .collect::<Result<Vec<_>>>()?;
        console.watch(Watched::new(processes, credentials)?);
        Ok(console)
    }
}

/// What the console looks at; nothing until it is told. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Console {
    watched: Arc<OnceLock<Watched>>,
}

impl Console {
    /// Looks at these processes from here on; told once.
    pub fn watch(&self, watched: Watched) {
        let _ = self.watched.set(watched);
    }

    fn watched(&self) -> Option<&Watched> {
        self.watched.get()
    }
}

#[derive(Clone)]
struct Looking {
    console: Console,
    // What was last seen, as the page's JSON.
    live: watch::Receiver<String>,
    pages: Arc<Semaphore>,
}

/// The page and what it asks, and the task that looks; the task never ends.
pub fn parts(console: Console) -> (Router, impl Future<Output = ()> + Send + 'static) {
    let (seen, live) = watch::channel(String::new());
    let pages = Arc::new(Semaphore::new(PAGES_MAX));
    let looking = Looking {
        console: console.clone(),
        live,
        pages: Arc::clone(&pages),
    };
    let nobody_looks = move || pages.available_permits() == PAGES_MAX;
    let router = Router::new()
        .route("/", get(page))
        .route("/search", get(page))
        .route("/trace/{id}", get(page))
        .route("/orders/{id}", get(page))
        .route("/actors", get(page))
        .route("/page/{file}", get(asset))
        .route("/console/live", get(live_events))
        .route("/console/orders/{id}", get(order))
        .with_state(looking);
    (router, poll::look(console, seen, nobody_looks))
}

const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

fn embedded(kind: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
        (
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, text).into_response()
}

async fn page() -> Response {
    embedded("text/html; charset=utf-8", include_str!("page/index.html"))
}

async fn asset(Path(file): Path<String>) -> Response {
    const CSS: &str = "text/css; charset=utf-8";
    const JS: &str = "text/javascript; charset=utf-8";
    match file.as_str() {
        "style.css" => embedded(CSS, include_str!("page/style.css")),
        "icon.svg" => embedded("image/svg+xml", include_str!("page/icon.svg")),
        "main.js" => embedded(JS, include_str!("page/main.js")),
        "dom.js" => embedded(JS, include_str!("page/dom.js")),
        "traces.js" => embedded(JS, include_str!("page/traces.js")),
        "model.js" => embedded(JS, include_str!("page/model.js")),
        "scale.js" => embedded(JS, include_str!("page/scale.js")),
        "side.js" => embedded(JS, include_str!("page/side.js")),
        "waterfall.js" => embedded(JS, include_str!("page/waterfall.js")),
        "actors.js" => embedded(JS, include_str!("page/actors.js")),
        _ => (StatusCode::NOT_FOUND, "no such file\n").into_response(),
    }
}

async fn live_events(State(looking): State<Looking>) -> Response {
    let Ok(place) = looking.pages.clone().try_acquire_owned() else {
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            "too many pages look at once\n",
        )
            .into_response();
    };
    let live = looking.live;
    let events = stream::unfold((live, place, true), |(mut live, place, first)| async move {
        if !first {
            live.changed().await.ok()?;
        }
        let text = live.borrow_and_update().clone();
        let event = if text.is_empty() {
            Event::default().comment("looking")
        } else {
            Event::default().data(text)
        };
        Some((Ok::<_, Infallible>(event), (live, place, false)))
    });
    Sse::new(events)
        .keep_alive(KeepAlive::default())
        .into_response()
}

async fn order(State(looking): State<Looking>, Path(id): Path<i64>) -> Response {
    let Some(watched) = looking.console.watched() else {
        return (StatusCode::NOT_FOUND, "no services are watched\n").into_response();
    };
    match watched.order(id).await {
        Ok(order) => axum::Json(view::order(&order)).into_response(),
        Err(status) if status.code() == tonic::Code::NotFound => {
            (StatusCode::NOT_FOUND, format!("there is no order {id}\n")).into_response()
        }
        Err(status) => (StatusCode::BAD_GATEWAY, format!("{}\n", status.message())).into_response(),
    }
}
