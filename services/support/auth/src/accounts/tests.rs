use super::*;
use crate::testing::MemoryStore;
use crate::throttle::Rate;

const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
const PASSWORD: &str = "correct horse";

struct Desk {
    accounts: Accounts,
    pool: PasswordPool,
    store: Arc<MemoryStore>,
}

fn desk_with(burst: u32) -> Desk {
    let pool = PasswordPool::cheap_for_tests().unwrap();
    let store = Arc::new(MemoryStore::default());
    let rate = Rate {
        burst,
        refill: Duration::from_secs(60),
    };
    Desk {
        accounts: Accounts::new(store.clone(), pool.clone(), Throttle::new(rate, rate)),
        pool,
        store,
    }
}

fn desk() -> Desk {
    desk_with(1_000)
}

impl Desk {
    async fn register(&self) -> Session {
        let registered = self
            .accounts
            .register("ann@example.com", PASSWORD.into(), HOME);
        registered.await.unwrap()
    }

    async fn login(&self, email: &str, password: &str) -> Result<Session, AccountError> {
        self.accounts.login(email, password.into(), HOME).await
    }

    async fn refresh(&self, token: &RefreshToken) -> Result<Session, AccountError> {
        self.accounts.refresh(&token.expose().into(), HOME).await
    }
}

#[tokio::test]
async fn who_registers_can_log_in_in_any_spelling_of_the_email() {
    let desk = desk();
    let session = desk.register().await;
    let again = desk.login(" Ann@Example.COM ", PASSWORD).await.unwrap();
    assert_eq!(again.customer, session.customer);
}

#[tokio::test]
async fn an_email_is_registered_once_in_any_spelling() {
    let desk = desk();
    desk.register().await;
    let twin = desk
        .accounts
        .register("ANN@example.com", "another one".into(), HOME)
        .await;
    assert_eq!(twin.unwrap_err(), AccountError::EmailTaken);
    assert_eq!(
        desk.login("ann@example.com", "another one")
            .await
            .unwrap_err(),
        AccountError::Refused
    );
}

#[tokio::test]
async fn everything_that_is_wrong_with_a_registration_is_told_at_once_and_nothing_is_hashed() {
    let desk = desk();
    let wrong = desk
        .accounts
        .register("nobody", "short".into(), HOME)
        .await
        .unwrap_err();
    assert_eq!(
        wrong,
        AccountError::Invalid {
            email: Some(InvalidEmail),
            password: Some(InvalidPassword)
        }
    );
    assert_eq!(desk.pool.runs(), 0);
}

#[tokio::test]
async fn an_unknown_email_costs_what_a_wrong_password_costs_and_gets_the_same_answer() {
    let desk = desk();
    desk.register().await;
    let mut costs = Vec::new();
    for email in ["ann@example.com", "eve@example.com"] {
        let (runs, reads) = (desk.pool.runs(), desk.store.reads());
        assert_eq!(
            desk.login(email, "a wrong one").await.unwrap_err(),
            AccountError::Refused
        );
        costs.push((desk.pool.runs() - runs, desk.store.reads() - reads));
    }
    assert_eq!(costs, [(1, 1), (1, 1)]);
}

#[tokio::test]
async fn a_refresh_token_works_once_and_names_its_customer() {
    let desk = desk();
    let first = desk.register().await;
    let second = desk.refresh(&first.refresh_token).await.unwrap();
    let third = desk.refresh(&second.refresh_token).await.unwrap();
    assert_eq!(
        (second.customer, third.customer),
        (first.customer, first.customer)
    );
}

#[tokio::test]
async fn a_used_token_that_comes_back_ends_its_family_and_no_other() {
    let desk = desk();
    let stolen = desk.register().await;
    let other = desk.login("ann@example.com", PASSWORD).await.unwrap();
    let fresh = desk.refresh(&stolen.refresh_token).await.unwrap();

    assert_eq!(
        desk.refresh(&stolen.refresh_token).await.unwrap_err(),
        AccountError::TokenRefused
    );
    assert_eq!(
        desk.refresh(&fresh.refresh_token).await.unwrap_err(),
        AccountError::TokenRefused
    );
    assert!(desk.refresh(&other.refresh_token).await.is_ok());
}

#[tokio::test]
async fn a_login_that_refreshes_too_often_waits_and_keeps_its_token() {
    let desk = desk();
    let mut session = desk.register().await;
    for _ in 0..PER_LOGIN.burst {
        session = desk.refresh(&session.refresh_token).await.unwrap();
    }
    for _ in 0..3 {
        let refused = desk.refresh(&session.refresh_token).await.unwrap_err();
        let AccountError::TooManyAttempts { retry_after } = refused else {
            panic!("{refused:?}")
        };
        assert!(retry_after <= PER_LOGIN.refill && !retry_after.is_zero());
    }
    // Another login of the same customer has its own.
    let other = desk.login("ann@example.com", PASSWORD).await.unwrap();
    assert!(desk.refresh(&other.refresh_token).await.is_ok());
}

#[tokio::test]
async fn a_login_too_many_ends_the_oldest() {
    let desk = desk();
    let oldest = desk.register().await;
    let second = desk.login("ann@example.com", PASSWORD).await.unwrap();
    let mut newest = None;
    for _ in 1..SESSIONS_MAX {
        newest = desk.login("ann@example.com", PASSWORD).await.ok();
    }
    assert_eq!(
        desk.refresh(&oldest.refresh_token).await.unwrap_err(),
        AccountError::TokenRefused
    );
    assert!(desk.refresh(&second.refresh_token).await.is_ok());
    assert!(desk.refresh(&newest.unwrap().refresh_token).await.is_ok());
}

#[tokio::test]
async fn logout_ends_the_login_and_succeeds_twice_and_for_nonsense() {
    let desk = desk();
    let session = desk.register().await;
    for token in [
        session.refresh_token.expose(),
        session.refresh_token.expose(),
        "nonsense",
    ] {
        assert_eq!(desk.accounts.logout(&token.into()).await, Ok(()));
    }
    assert_eq!(
        desk.refresh(&session.refresh_token).await.unwrap_err(),
        AccountError::TokenRefused
    );
}

#[tokio::test]
async fn failures_close_the_account_even_for_the_right_password_and_cost_no_more_work() {
    let desk = desk_with(3);
    desk.register().await;
    for _ in 0..3 {
        assert_eq!(
            desk.login("ann@example.com", "guess").await.unwrap_err(),
            AccountError::Refused
        );
    }
    let runs = desk.pool.runs();
    let refused = desk.login("ann@example.com", PASSWORD).await.unwrap_err();
    assert!(
        matches!(refused, AccountError::TooManyAttempts { retry_after } if !retry_after.is_zero()),
        "{refused:?}"
    );
    assert_eq!(desk.pool.runs(), runs);
}

#[tokio::test]
async fn what_an_address_has_too_much_of_closes_no_other_call() {
    let desk = desk_with(2);
    let session = desk.register().await;
    let register = async |email: &str| {
        let registered = desk.accounts.register(email, PASSWORD.into(), HOME);
        registered.await.map(drop)
    };
    assert_eq!(register("bob@example.com").await, Ok(()));
    let third = register("cid@example.com").await;
    assert!(matches!(third, Err(AccountError::TooManyAttempts { .. })));
    assert!(desk.login("ann@example.com", PASSWORD).await.is_ok());
    let next = desk.refresh(&session.refresh_token).await.unwrap();

    for _ in 0..2 {
        desk.refresh(&RefreshToken::random()).await.unwrap_err();
    }
    let closed = desk.refresh(&next.refresh_token).await.unwrap_err();
    assert!(matches!(closed, AccountError::TooManyAttempts { .. }));
    assert!(desk.login("ann@example.com", PASSWORD).await.is_ok());
}

#[tokio::test]
async fn refreshing_with_nonsense_is_throttled_by_address() {
    let desk = desk_with(2);
    for _ in 0..2 {
        assert_eq!(
            desk.refresh(&RefreshToken::random()).await.unwrap_err(),
            AccountError::TokenRefused
        );
    }
    let refused = desk.refresh(&RefreshToken::random()).await.unwrap_err();
    assert!(
        matches!(refused, AccountError::TooManyAttempts { .. }),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_store_that_is_down_is_no_refusal_and_no_failure_of_the_caller() {
    let desk = desk_with(1);
    desk.store.fail(true);
    for _ in 0..3 {
        let answer = desk.login("ann@example.com", PASSWORD).await.unwrap_err();
        assert!(matches!(answer, AccountError::Unavailable(_)), "{answer:?}");
    }
    desk.store.fail(false);
    desk.register().await;
}
