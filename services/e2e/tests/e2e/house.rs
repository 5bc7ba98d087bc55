//! **Architecture invariant:** dependencies point one way, `services/* → actors/* → actor-kit`, and each foreign library with sharp edges
//! has one room. Read from `cargo metadata`, transitively, normal dependencies only: tests may reach further.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Packages by name, with the folder of those that are ours and the names of their normal dependencies.
#[derive(Default)]
struct Graph {
    rooms: BTreeMap<String, String>,
    arrows: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    /// Everything that `package` can reach.
    fn reach(&self, package: &str) -> BTreeSet<String> {
        let mut reached = BTreeSet::new();
        let mut open = vec![package.to_owned()];
        while let Some(next) = open.pop() {
            for dependency in self.arrows.get(&next).into_iter().flatten() {
                if reached.insert(dependency.clone()) {
                    open.push(dependency.clone());
                }
            }
        }
        reached
    }

    /// What is wrong with the arrows, one sentence each.
    fn violations(&self) -> Vec<String> {
        const WIRE_AND_STORAGE: [&str; 6] = [
            "tonic",
            "axum",
            "hyper",
            "tokio-postgres",
            "deadpool-postgres",
            "shopapi-proto",
        ];
        let mut wrong = Vec::new();
        for (package, room) in &self.rooms {
            let reached = self.reach(package);
            let ours = reached
                .iter()
                .filter_map(|name| self.rooms.get(name).map(|room| (name, room)));
            for (name, target) in ours {
                let allowed = match room.as_str() {
                    "actors/kit" | "proto" => false,
                    room if room.starts_with("actors/") => target == "actors/kit",
                    room if room.starts_with("services/support/") => {
                        target.starts_with("services/support/") || target == "proto"
                    }
                    room if room.ends_with("/sql") => false,
                    "services/shopapi" | "services/shopctl" | "services/e2e" => true,
                    room => {
                        target.starts_with("actors/")
                            || target.starts_with("services/support/")
                            || target == "proto"
                            || target == &format!("{room}/sql")
                    }
                };
                if !allowed {
                    wrong.push(format!("{package} ({room}) reaches {name} ({target})"));
                }
            }
            if room.starts_with("actors/") {
                for foreign in WIRE_AND_STORAGE {
                    if reached.contains(foreign) {
                        wrong.push(format!("{package} ({room}) reaches {foreign}"));
                    }
                }
            }
            let direct = self.arrows.get(package);
            for (foreign, owner) in [("ractor", "actors/kit"), ("async-nats", "actors/jetstream")] {
                if direct.is_some_and(|direct| direct.contains(foreign)) && room != owner {
                    wrong.push(format!(
                        "{package} ({room}) uses {foreign}; only {owner} may"
                    ));
                }
            }
        }
        wrong
    }
}

fn read_graph() -> Graph {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let rustc = Command::new("rustc").arg("-vV").output().unwrap();
    let rustc = String::from_utf8(rustc.stdout).unwrap();
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: "));
    // Packages of this platform alone: what others need was never downloaded to build these tests.
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        .args(["--filter-platform", host.unwrap()])
        .current_dir(&root)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "cargo metadata: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let workspace = text(&metadata["workspace_root"]);
    let mut names = BTreeMap::new();
    let mut graph = Graph::default();
    for package in metadata["packages"].as_array().unwrap() {
        let name = text(&package["name"]);
        if package["source"].is_null() {
            let manifest = text(&package["manifest_path"]);
            let room = manifest
                .strip_prefix(&format!("{workspace}/"))
                .and_then(|path| path.strip_suffix("/Cargo.toml"))
                .unwrap();
            graph.rooms.insert(name.clone(), room.to_owned());
        }
        names.insert(text(&package["id"]), name);
    }
    for node in metadata["resolve"]["nodes"].as_array().unwrap() {
        let arrows = graph
            .arrows
            .entry(names[&text(&node["id"])].clone())
            .or_default();
        for dependency in node["deps"].as_array().unwrap() {
            let normal = dependency["dep_kinds"]
                .as_array()
                .unwrap()
                .iter()
                .any(|kind| kind["kind"].is_null());
            if normal {
                arrows.insert(names[&text(&dependency["pkg"])].clone());
            }
        }
    }
    graph
}

#[test]
fn dependencies_point_one_way() {
    let graph = read_graph();
    assert!(
        graph.rooms.len() >= 15,
        "the whole workspace was read: {:?}",
        graph.rooms
    );
    assert_eq!(graph.violations(), Vec::<String>::new());
}

#[test]
fn a_wrong_arrow_is_found_also_when_it_is_indirect() {
    let sample = |arrows: &[(&str, &str)]| {
        let mut graph = Graph::default();
        for (name, room) in [
            ("actor-kit", "actors/kit"),
            ("stock", "actors/stock"),
            ("outbox", "actors/outbox"),
            ("shopapi-auth", "services/support/auth"),
            ("shopapi-orders", "services/orders"),
            ("shopapi-payments", "services/payments"),
        ] {
            graph.rooms.insert(name.to_owned(), room.to_owned());
        }
        for (from, to) in arrows {
            let arrows = graph.arrows.entry((*from).to_owned()).or_default();
            arrows.insert((*to).to_owned());
        }
        graph.violations()
    };
    let fine = [
        ("stock", "actor-kit"),
        ("shopapi-orders", "stock"),
        ("shopapi-orders", "shopapi-auth"),
        ("actor-kit", "ractor"),
    ];
    assert_eq!(sample(&fine), Vec::<String>::new());
    for wrong in [
        &[("actor-kit", "stock")][..],
        &[("stock", "outbox")],
        &[("stock", "some-library"), ("some-library", "tonic")],
        &[("shopapi-auth", "actor-kit")],
        &[("shopapi-orders", "shopapi-payments")],
        &[("shopapi-orders", "ractor")],
        &[("stock", "async-nats")],
    ] {
        assert_eq!(sample(wrong).len(), 1, "{wrong:?}");
    }
}

#[test]
fn the_house_has_only_the_rooms_of_its_plan() {
    let graph = read_graph();
    let plan: BTreeSet<&str> = [
        "proto",
        "actors/kit",
        "actors/order-saga",
        "actors/outbox",
        "actors/jetstream",
        "actors/stock",
        "actors/payment",
        "services/gateway",
        "services/gateway/sql",
        "services/orders",
        "services/orders/sql",
        "services/inventory",
        "services/inventory/sql",
        "services/payments",
        "services/payments/sql",
        "services/shopapi",
        "services/shopctl",
        "services/e2e",
        "services/support/auth",
        "services/support/devstack",
        "services/support/health",
        "services/support/postgres",
        "services/support/rpc",
        "services/support/telemetry",
        "services/support/tls",
        "services/support/watched",
    ]
    .into();
    let rooms: BTreeSet<&str> = graph.rooms.values().map(String::as_str).collect();
    assert_eq!(rooms, plan);
}
