//! Register, log in, refresh, log out, and what is refused on the way.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use super::support::{
    CUSTOMER, FAILURES_MAX, Gateway, Got, gateway, get, post, request, send, tokens,
};
use crate::http::extract::now_s;

const REGISTER: &str = "/api/v1/auth/register";
const LOGIN: &str = "/api/v1/auth/login";
const REFRESH: &str = "/api/v1/auth/refresh";
const LOGOUT: &str = "/api/v1/auth/logout";

async fn call(gateway: &Gateway, path: &str, body: Value) -> Got {
    send(&gateway.router, post(path, body.to_string())).await
}

async fn login(gateway: &Gateway, email: &str, password: &str) -> Got {
    call(
        gateway,
        LOGIN,
        json!({"email": email, "password": password}),
    )
    .await
}

async fn refresh(gateway: &Gateway, token: &Value) -> Got {
    call(gateway, REFRESH, json!({"refresh_token": token})).await
}

#[tokio::test]
async fn a_login_gives_tokens_of_its_customer() {
    let gateway = gateway().with_ann().await;
    let got = login(&gateway, "ann@example.test", "correct horse").await;

    assert_eq!(got.status, 200, "{got:?}");
    assert_eq!(got.body["token_type"], "Bearer");
    assert_eq!(got.body["expires_in"], 900);
    assert_eq!(got.header("cache-control"), "no-store");
    let token = got.body["access_token"].as_str().unwrap();
    assert_eq!(tokens().verify(token, now_s()), Ok(CUSTOMER));
    assert_eq!(got.body["refresh_token"].as_str().unwrap().len(), 64);
}

#[tokio::test]
async fn who_registers_is_logged_in_as_somebody_new_and_can_log_in_again() {
    let gateway = gateway().with_ann().await;
    let body = json!({"email": " Bob@Example.test", "password": "battery staple"});
    let registered = call(&gateway, REGISTER, body.clone()).await;
    assert_eq!(registered.status, 201, "{registered:?}");
    let verify = |got: &Got| tokens().verify(got.body["access_token"].as_str().unwrap(), now_s());
    let bob = verify(&registered).unwrap();
    assert_ne!(bob, CUSTOMER);

    let again = login(&gateway, "bob@example.test", "battery staple").await;
    assert_eq!(verify(&again), Ok(bob));
    call(&gateway, REGISTER, body)
        .await
        .assert_problem(409, "email-taken");
}

#[tokio::test]
async fn a_registration_names_everything_that_is_wrong_and_repeats_no_secret() {
    let gateway = gateway();
    let got = call(
        &gateway,
        REGISTER,
        json!({"email": "bob", "password": "20202"}),
    )
    .await;
    got.assert_problem(400, "invalid-request");
    assert_eq!(got.pointers(), ["/email", "/password"]);
    for (email, password, pointer) in [
        ("bob@example.test", "1234567", "/password"),
        ("bob@example.test", &*"x".repeat(129), "/password"),
        ("bob@exa mple.test", "12345678", "/email"),
        ("bob@example.test\0", "12345678", "/email"),
        (
            &*format!("{}@example.test", "b".repeat(65)),
            "12345678",
            "/email",
        ),
    ] {
        let got = call(
            &gateway,
            REGISTER,
            json!({"email": email, "password": password}),
        )
        .await;
        got.assert_problem(400, "invalid-request");
        assert_eq!(got.pointers(), [pointer], "{email}");
        assert!(!got.body.to_string().contains(password), "{got:?}");
    }
    for body in [
        json!({"email": "bob@example.test"}),
        json!({"email": "bob@example.test", "password": 20_202_020}),
        json!({"email": "bob@example.test", "password": "20202020", "admin": true}),
        json!({"email": "bob@example.test", "password": "20202020", "customer_id": CUSTOMER.to_string()}),
        json!({"email": ["bob@example.test"], "password": "20202020"}),
        json!(["bob@example.test", "20202020"]),
    ] {
        for path in [REGISTER, LOGIN] {
            let got = call(&gateway, path, body.clone()).await;
            got.assert_problem(400, "invalid-request");
            assert!(!got.body.to_string().contains("20202020"), "{got:?}");
        }
    }
    let taken = call(
        &gateway,
        REGISTER,
        json!({"email": "bob@example.test", "password": "20202020"}),
    )
    .await;
    assert_eq!(taken.status, 201, "the same call is taken when it is right");
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_person_look_the_same() {
    let gateway = gateway().with_ann().await;
    let mut answers = Vec::new();
    for email in ["ann@example.test", "eve@example.test", "no address"] {
        let got = login(&gateway, email, "guess").await;
        got.assert_problem(401, "invalid-credentials");
        answers.push(got.body);
    }
    assert!(
        answers.windows(2).all(|pair| pair[0] == pair[1]),
        "{answers:?}"
    );
    let endless = login(&gateway, "ann@example.test", &"x".repeat(2000)).await;
    endless.assert_problem(401, "invalid-credentials");
}

#[tokio::test]
async fn a_refresh_token_is_good_once_and_its_second_use_ends_the_login() {
    let gateway = gateway().with_ann().await;
    let first = login(&gateway, "ann@example.test", "correct horse")
        .await
        .body["refresh_token"]
        .clone();
    let second = refresh(&gateway, &first).await;
    assert_eq!(second.status, 200, "{second:?}");
    assert_eq!(second.header("cache-control"), "no-store");
    let token = second.body["access_token"].as_str().unwrap();
    assert_eq!(tokens().verify(token, now_s()), Ok(CUSTOMER));

    refresh(&gateway, &first)
        .await
        .assert_problem(401, "invalid-refresh-token");
    refresh(&gateway, &second.body["refresh_token"])
        .await
        .assert_problem(401, "invalid-refresh-token");
}

#[tokio::test]
async fn logout_ends_the_login_and_has_no_answer_but_done() {
    let gateway = gateway().with_ann().await;
    let token = login(&gateway, "ann@example.test", "correct horse")
        .await
        .body["refresh_token"]
        .clone();
    for body in [
        json!({"refresh_token": token}),
        json!({"refresh_token": token}),
        json!({"refresh_token": "nonsense"}),
    ] {
        let got = call(&gateway, LOGOUT, body).await;
        assert_eq!(got.status, 204, "{got:?}");
    }
    refresh(&gateway, &token)
        .await
        .assert_problem(401, "invalid-refresh-token");
    call(&gateway, LOGOUT, json!({}))
        .await
        .assert_problem(400, "invalid-request");
    call(&gateway, LOGOUT, json!({"refresh_token": 7}))
        .await
        .assert_problem(400, "invalid-request");
    call(&gateway, LOGOUT, json!(["0"]))
        .await
        .assert_problem(400, "invalid-request");
}

#[tokio::test]
async fn failures_are_throttled_with_a_time_to_come_back() {
    let gateway = gateway().with_ann().await;
    for _ in 0..FAILURES_MAX {
        login(&gateway, "ann@example.test", "guess")
            .await
            .assert_problem(401, "invalid-credentials");
    }
    let got = login(&gateway, "ann@example.test", "correct horse").await;
    got.assert_problem(429, "too-many-attempts");
    assert!(
        (1..=60).contains(&got.header("retry-after").parse::<u32>().unwrap()),
        "{got:?}"
    );
    // Guessing passwords closes logins, and no other call of that address.
    let body = json!({"email": "bob@example.test", "password": "battery staple"});
    let registered = call(&gateway, REGISTER, body).await;
    assert_eq!(registered.status, 201, "{registered:?}");
    let refreshed = refresh(&gateway, &registered.body["refresh_token"]).await;
    assert_eq!(refreshed.status, 200, "{refreshed:?}");
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_address_has_its_own_failures() {
    let gateway = gateway();
    let nonsense = |address: &'static str| {
        let body = json!({"refresh_token": "no token of ours"}).to_string();
        let request = request("POST", REFRESH)
            .header("content-type", "application/json")
            .header("x-forwarded-for", format!("203.0.113.66, {address}"))
            .body(Body::from(body))
            .unwrap();
        send(&gateway.router, request)
    };
    for _ in 0..FAILURES_MAX {
        nonsense("198.51.100.1")
            .await
            .assert_problem(401, "invalid-refresh-token");
    }
    nonsense("198.51.100.1")
        .await
        .assert_problem(429, "too-many-attempts");
    nonsense("198.51.100.2")
        .await
        .assert_problem(401, "invalid-refresh-token");
}

#[tokio::test]
async fn every_answer_tells_a_browser_to_keep_and_run_nothing() {
    let gateway = gateway();
    for request in [
        get("/livez"),
        get("/nowhere"),
        get("/api/v1/openapi.json"),
        Request::post(LOGIN).body(Body::empty()).unwrap(),
    ] {
        let got = send(&gateway.router, request).await;
        assert_eq!(got.header("x-content-type-options"), "nosniff");
        assert_eq!(got.header("referrer-policy"), "no-referrer");
        assert_eq!(got.header("cache-control"), "no-store");
        assert!(
            got.header("content-security-policy")
                .contains("frame-ancestors 'none'"),
            "{got:?}"
        );
    }
}

#[tokio::test]
async fn one_token_in_one_header_is_believed_and_two_are_not() {
    let gateway = gateway();
    let good = format!(
        "Bearer {}",
        tokens().issue(CUSTOMER, now_s()).unwrap().token
    );
    let authorised = |values: Vec<String>| {
        let mut builder = Request::get("/api/v1/orders?limit=0");
        for value in values {
            builder = builder.header("authorization", value);
        }
        send(&gateway.router, builder.body(Body::empty()).unwrap())
    };
    // Past the door the call is wrong for another reason.
    authorised(vec![good.clone()])
        .await
        .assert_problem(400, "invalid-request");
    let long = format!("Bearer {}", "a".repeat(64 * 1024));
    for values in [
        vec![good.clone(), good.clone()],
        vec![good.clone(), "Bearer x".to_owned()],
        vec!["Basic eDp5".to_owned(), good.clone()],
        vec![format!("{good}, {good}")],
        vec![format!("{good} {good}")],
        vec![good.replace("Bearer ", "Bearer")],
        vec![good.replace("Bearer ", "Token ")],
        vec![long],
        vec![good[..good.len() - 1].to_owned()],
    ] {
        authorised(values)
            .await
            .assert_problem(401, "unauthenticated");
    }
}
