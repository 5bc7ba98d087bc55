//! The store against a real PostgreSQL, as the service's own role.

use std::sync::Arc;

use actor_kit::probe;
use devstack::TestStack;
use secrecy::SecretString;
use shopapi_auth::{
    AccountError, Accounts, DemoUser, PasswordPool, RefreshToken, Session, Throttle,
};
use shopapi_health::Gate;
use shopapi_postgres::PgConfig;
use uuid::Uuid;

use super::*;
use crate::config::Limits;
use crate::maintenance::{Maintenance, Seeds};

const HOME: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
const PATIENCE: Duration = Duration::from_secs(30);
/// One refresh in each test.
const ONCE: Rate = Rate {
    burst: 1,
    refill: Duration::from_secs(3600),
};
const UNBOUNDED: Rate = Rate {
    burst: u32::MAX,
    refill: Duration::from_micros(1),
};

struct Bench {
    stack: TestStack,
    store: PgAccounts,
    accounts: Accounts,
}

impl Bench {
    async fn start() -> Self {
        let stack = TestStack::migrated().await.unwrap();
        let pool = ReadPool::new(&database(&stack), 4).unwrap();
        let store = PgAccounts::new(pool, PATIENCE);
        let passwords = PasswordPool::cheap_for_tests().unwrap();
        let accounts = Accounts::new(Arc::new(store.clone()), passwords, Throttle::default());
        Self {
            stack,
            store,
            accounts,
        }
    }

    async fn register(&self, email: &str) -> Session {
        let registered = self.accounts.register(email, "12345678".into(), HOME);
        registered.await.unwrap()
    }

    async fn refresh(&self, token: &RefreshToken) -> Result<Session, AccountError> {
        self.accounts.refresh(&token.expose().into(), HOME).await
    }

    async fn owner(&self) -> tokio_postgres::Client {
        let owner = self.stack.cluster.connect("gateway_owner", "gatewaydb");
        owner.await.unwrap()
    }

    async fn number(&self, query: &str) -> i64 {
        self.owner()
            .await
            .query_one(query, &[])
            .await
            .unwrap()
            .get(0)
    }

    async fn all_written(&self) -> String {
        let everything = "SELECT (SELECT string_agg(a::text, '|') FROM accounts a)
            || coalesce((SELECT string_agg(t::text, '|') FROM refresh_tokens t), '')
            || coalesce((SELECT string_agg(f::text, '|') FROM refresh_families f), '')";
        self.owner()
            .await
            .query_one(everything, &[])
            .await
            .unwrap()
            .get(0)
    }
}

fn database(stack: &TestStack) -> PgConfig {
    PgConfig::parse(&stack.url("gateway"), "gateway-test").unwrap()
}

fn new_account(email: &str) -> NewAccount {
    NewAccount {
        customer: CustomerId(Uuid::new_v4()),
        email: Email::parse(email).unwrap(),
        password: PasswordHash::from_stored(
            "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA".to_owned(),
        )
        .unwrap(),
    }
}

fn family(token: &RefreshToken) -> NewFamily {
    NewFamily {
        id: Uuid::now_v7(),
        token: token.hash(),
        lifetime: Duration::from_secs(3600),
    }
}

#[tokio::test]
async fn the_way_of_an_account_and_no_secret_in_the_tables() {
    let bench = Bench::start().await;
    let first = bench.register("ann@example.com").await;
    let login = bench
        .accounts
        .login("ANN@example.com", "12345678".into(), HOME)
        .await
        .unwrap();
    assert_eq!(login.customer, first.customer);
    let wrong = bench
        .accounts
        .login("ann@example.com", "87654321".into(), HOME)
        .await;
    assert_eq!(wrong.unwrap_err(), AccountError::Refused);
    let twin = bench
        .accounts
        .register("Ann@example.com", "12345678".into(), HOME)
        .await;
    assert_eq!(twin.unwrap_err(), AccountError::EmailTaken);

    let second = bench.refresh(&first.refresh_token).await.unwrap();
    assert_eq!(second.customer, first.customer);
    let written = bench.all_written().await;
    for secret in [
        "12345678",
        first.refresh_token.expose(),
        second.refresh_token.expose(),
    ] {
        assert!(!written.contains(secret), "a secret is stored");
    }
    assert!(written.contains("$argon2id$") && written.contains("ann@example.com"));

    // The used one comes back: its family ends, the other login goes on.
    assert_eq!(
        bench.refresh(&first.refresh_token).await.unwrap_err(),
        AccountError::TokenRefused
    );
    assert_eq!(
        bench.refresh(&second.refresh_token).await.unwrap_err(),
        AccountError::TokenRefused
    );
    assert_eq!(
        bench
            .number("SELECT count(*) FROM refresh_families WHERE ended_because = 'reuse'")
            .await,
        1
    );
    let third = bench.refresh(&login.refresh_token).await.unwrap();
    bench
        .accounts
        .logout(&third.refresh_token.expose().into())
        .await
        .unwrap();
    assert_eq!(
        bench.refresh(&third.refresh_token).await.unwrap_err(),
        AccountError::TokenRefused
    );
    assert_eq!(
        bench
            .number("SELECT count(*) FROM refresh_families WHERE ended_because = 'logout'")
            .await,
        1
    );
}

#[tokio::test]
async fn of_two_who_use_the_same_token_at_once_one_is_served_and_the_family_ends() {
    let bench = Bench::start().await;
    for round in 0..10 {
        let session = bench.register(&format!("ann{round}@example.com")).await;
        let tries = (0..4).map(|_| bench.refresh(&session.refresh_token));
        let served: Vec<Session> = futures::future::join_all(tries)
            .await
            .into_iter()
            .flatten()
            .collect();
        assert_eq!(served.len(), 1, "round {round}");
        let next = bench.refresh(&served[0].refresh_token).await;
        assert_eq!(
            next.unwrap_err(),
            AccountError::TokenRefused,
            "round {round}"
        );
    }
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_repeated_without_harm() {
    let bench = Bench::start().await;
    let (account, first, second) = (
        new_account("ann@example.com"),
        RefreshToken::random(),
        RefreshToken::random(),
    );
    let founding = family(&first);
    for _ in 0..2 {
        assert_eq!(
            bench.store.register(&account, founding).await,
            Ok(Registered::Done)
        );
    }
    let login = family(&RefreshToken::random());
    for _ in 0..2 {
        assert_eq!(bench.store.open(account.customer, login, 2).await, Ok(()));
        assert_eq!(
            bench.store.rotate(first.hash(), second.hash(), ONCE).await,
            Ok(Rotation::Fresh(account.customer))
        );
    }
    assert_eq!(bench.number("SELECT count(*) FROM accounts").await, 1);
    assert_eq!(
        bench.number("SELECT count(*) FROM refresh_families").await,
        2
    );
    assert_eq!(bench.number("SELECT count(*) FROM refresh_tokens").await, 3);
    // Somebody else who presents it is not the repetition.
    let stranger = bench
        .store
        .rotate(first.hash(), RefreshToken::random().hash(), ONCE)
        .await;
    assert_eq!(stranger, Ok(Rotation::Reused(founding.id)));
}

#[tokio::test]
async fn a_login_refreshes_at_its_rate_and_no_row_tells_of_what_was_refused() {
    let bench = Bench::start().await;
    let tokens: Vec<RefreshToken> = (0..4).map(|_| RefreshToken::random()).collect();
    let account = new_account("ann@example.com");
    let registered = bench.store.register(&account, family(&tokens[0])).await;
    assert_eq!(registered, Ok(Registered::Done));
    let rate = Rate {
        burst: 2,
        refill: Duration::from_secs(600),
    };
    let rotate = |n: usize| {
        let (presented, fresh) = (tokens[n].hash(), tokens[n + 1].hash());
        bench.store.rotate(presented, fresh, rate)
    };
    let fresh = Ok(Rotation::Fresh(account.customer));
    assert_eq!(rotate(0).await, fresh);
    assert_eq!(rotate(1).await, fresh);
    let before = bench.all_written().await;
    let refused = rotate(2).await.unwrap();
    let Rotation::TooOften(wait) = refused else {
        panic!("{refused:?}")
    };
    assert!(wait <= rate.refill && wait > rate.refill / 2, "{wait:?}");
    assert_eq!(bench.all_written().await, before);

    // The answer that was lost costs nothing, and the time that has passed gives refreshes back.
    assert_eq!(rotate(1).await, fresh);
    let earlier =
        "UPDATE refresh_families SET refreshes_full_at = refreshes_full_at - interval '600 s'";
    bench.owner().await.execute(earlier, &[]).await.unwrap();
    assert_eq!(rotate(2).await, fresh);
    // A used one ends the login even when it comes too often.
    assert!(matches!(
        bench
            .store
            .rotate(tokens[0].hash(), RefreshToken::random().hash(), rate)
            .await,
        Ok(Rotation::Reused(_))
    ));
}

#[tokio::test]
async fn a_login_too_many_ends_the_oldest_of_its_customer() {
    let bench = Bench::start().await;
    let (ann, bob) = (
        new_account("ann@example.com"),
        new_account("bob@example.com"),
    );
    let bobs = family(&RefreshToken::random());
    bench.store.register(&bob, bobs).await.unwrap();
    let first = family(&RefreshToken::random());
    bench.store.register(&ann, first).await.unwrap();
    let mut logins = vec![first.id];
    for _ in 0..3 {
        let next = family(&RefreshToken::random());
        bench.store.open(ann.customer, next, 2).await.unwrap();
        logins.push(next.id);
    }
    let rows = bench
        .owner()
        .await
        .query(
            "SELECT family_id, ended_because FROM refresh_families ORDER BY created_at",
            &[],
        )
        .await
        .unwrap();
    let seen: Vec<(Uuid, Option<String>)> =
        rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let ended = || Some("crowded_out".to_owned());
    assert_eq!(
        seen,
        [
            (bobs.id, None),
            (logins[0], ended()),
            (logins[1], ended()),
            (logins[2], None),
            (logins[3], None),
        ]
    );
}

#[tokio::test]
async fn a_login_ends_by_itself_however_often_it_is_refreshed() {
    let bench = Bench::start().await;
    let (account, first) = (new_account("ann@example.com"), RefreshToken::random());
    let mut short = family(&first);
    short.lifetime = Duration::from_millis(300);
    bench.store.register(&account, short).await.unwrap();
    let mut current = first;
    let ended = timeout(PATIENCE, async {
        loop {
            let next = RefreshToken::random();
            match bench
                .store
                .rotate(current.hash(), next.hash(), UNBOUNDED)
                .await
                .unwrap()
            {
                Rotation::Fresh(_) => current = next,
                other => return other,
            }
        }
    });
    assert_eq!(ended.await.expect("never ended"), Rotation::Refused);
}

#[tokio::test]
async fn a_database_that_is_away_is_an_answer() {
    let mut bench = Bench::start().await;
    bench.register("ann@example.com").await;
    bench.stack.cluster.stop().await.unwrap();
    let answer = bench
        .accounts
        .login("ann@example.com", "12345678".into(), HOME)
        .await
        .unwrap_err();
    assert!(matches!(answer, AccountError::Unavailable(_)), "{answer:?}");
}

#[tokio::test]
async fn demo_users_are_seeded_once_and_old_logins_are_forgotten() {
    let bench = Bench::start().await;
    let list: SecretString =
        "demo@example.com:demo-password:00000000-0000-7000-8000-000000000001".into();
    let seeds = || Seeds {
        users: DemoUser::parse_list(&list).unwrap(),
        passwords: PasswordPool::cheap_for_tests().unwrap(),
        done: Gate::default(),
    };
    let ann = bench.register("ann@example.com").await;
    let left = bench.register("cid@example.com").await;
    let live = bench.register("bob@example.com").await;
    let stale =
        "UPDATE refresh_families SET expires_at = now() - interval '2 days' WHERE customer_id = $1";
    bench
        .owner()
        .await
        .execute(stale, &[&ann.customer.0])
        .await
        .unwrap();
    let left_token = left.refresh_token.expose().into();
    bench.accounts.logout(&left_token).await.unwrap();
    let long_ago = "UPDATE refresh_families SET ended_at = now() - interval '2 days' WHERE ended_at IS NOT NULL";
    bench.owner().await.execute(long_ago, &[]).await.unwrap();

    for _ in 0..2 {
        let (seeds, database) = (seeds(), database(&bench.stack));
        let done = seeds.done.clone();
        let actor = Maintenance::new(&database, seeds, Limits::default());
        let (_mailbox, alone) = probe::start("maintenance", 1, actor).await.unwrap();
        let seeded = async {
            while !done.is_open() || bench.number("SELECT count(*) FROM refresh_families").await > 1
            {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, seeded)
            .await
            .expect("not seeded and pruned");
        alone.stop().await;
    }
    assert_eq!(bench.number("SELECT count(*) FROM accounts").await, 4);
    assert_eq!(bench.number("SELECT count(*) FROM refresh_tokens").await, 1);
    let demo = bench
        .accounts
        .login("demo@example.com", "demo-password".into(), HOME)
        .await
        .unwrap();
    assert_eq!(
        demo.customer.to_string(),
        "00000000-0000-7000-8000-000000000001"
    );
    assert!(bench.refresh(&live.refresh_token).await.is_ok());
}
