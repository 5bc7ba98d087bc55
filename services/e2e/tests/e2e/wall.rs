//! The wall: what arrives on a socket and is not a proper call. Every input is refused in bounded time, by name once it is past the router
//! and bare before it, and no row changes in any database. The same calls, put right, are taken.

mod accounts;
mod bodies;
mod exchange;
mod framing;
mod paths;
mod right;
mod signed;
mod slow;
mod tokens;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::json;

use self::exchange::{complaint, exchange, kind};
use self::signed::Mint;
use crate::rows;
use crate::world::World;

const ORDERS: &str = "POST /api/v1/orders";
const GOOD_ORDER: &str = r#"{"items":[{"sku":"PLENTY","quantity":1}],"payment_method":"tok_ok"}"#;

/// What has to come back.
#[derive(Clone, Copy, Debug)]
enum Want {
    /// Past the router: this status and this problem type.
    Problem(u16, &'static str),
    /// Before it: a bare 4xx or a closed connection.
    Bare,
}

struct Input {
    name: String,
    bytes: Vec<u8>,
    want: Want,
}

/// The inputs so far, the token that makes everything else about them right, and what else is signed like it.
struct Wall {
    token: String,
    mint: Mint,
    inputs: Vec<Input>,
}

/// A request with a length and one answer.
fn request(line: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!(
        "{line} HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

impl Wall {
    fn build(token: String, mint: Mint) -> Self {
        let mut wall = Self {
            token,
            mint,
            inputs: Vec::new(),
        };
        wall.framings();
        wall.heads_too_large();
        wall.starts();
        wall.other_protocols();
        wall.bodies();
        wall.fields();
        wall.types();
        wall.tokens();
        wall.signed_tokens();
        wall.paths();
        wall.queries();
        wall.accounts();
        wall
    }

    fn bearer(&self) -> String {
        format!("authorization: Bearer {}\r\n", self.token)
    }

    /// The headers of a good order.
    fn headers(&self) -> String {
        format!("{}content-type: application/json\r\n", self.bearer())
    }

    fn add(&mut self, name: impl Into<String>, bytes: impl Into<Vec<u8>>, want: Want) {
        let (name, bytes) = (name.into(), bytes.into());
        self.inputs.push(Input { name, bytes, want });
    }
}

/// Sends every input and returns how many were refused in which way. All complaints come at once.
async fn refusals(gateway: SocketAddr, inputs: &[Input]) -> BTreeMap<String, usize> {
    let mut kinds = BTreeMap::new();
    let mut complaints = Vec::new();
    for input in inputs {
        let answer = exchange(gateway, &input.bytes).await;
        *kinds.entry(kind(&answer)).or_default() += 1;
        complaints.extend(complaint(input, &answer));
    }
    let (wrong, all) = (complaints.len(), inputs.len());
    let complaints = complaints.join("\n");
    assert!(wrong == 0, "{wrong} of {all}:\n{complaints}");
    kinds
}

async fn token(world: &World) -> String {
    let login = json!({"email": "ada@example.com", "password": "correct-horse"});
    let login = world
        .anonymous
        .post("/api/v1/auth/login", &login, &[])
        .await
        .unwrap();
    login.text("access_token").to_owned()
}

#[tokio::test]
async fn nothing_that_is_wrong_gets_through_and_no_row_changes() {
    let world = World::start().await;
    let gateway = world.stack.gateway_addr();
    let wall = Wall::build(token(&world).await, Mint::of(&world.stack));

    let before = rows::fingerprint(&world.stack).await;
    let slow = tokio::spawn({
        let headers = wall.headers();
        async move { slow::assert_the_slow_are_cut_off(gateway, &headers).await }
    });
    let kinds = Box::pin(refusals(gateway, &wall.inputs)).await;
    let slow = slow.await.unwrap();
    let after = rows::fingerprint(&world.stack).await;
    assert_eq!(after, before, "a row changed");

    let right = Box::pin(right::assert_the_door_is_open(gateway, &wall)).await;
    let written = rows::fingerprint(&world.stack).await;
    assert_ne!(written, before, "the fingerprint sees what is written");
    let guesses = Box::pin(slow::assert_a_forged_address_does_not_help(gateway)).await;
    for (kind, count) in &kinds {
        println!("{count:5} {kind}");
    }
    println!(
        "bad inputs on the public port: {} refused ({} at once, {slow} slow ones, {guesses} guesses with forged addresses), \
         no row changed in {} tables; {right} right calls taken",
        wall.inputs.len() + slow + guesses,
        wall.inputs.len(),
        before.len()
    );
    world.audit_and_stop().await;
}
