//! Against a real PostgreSQL: what breaks, and that it heals.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use std::time::Duration;

use devstack::{Proxy, SUPERUSER, TestStack};
use shopapi_postgres::migrate::{self, MigrateError, Schema, SchemaState};
use shopapi_postgres::{FailureClass, KnownSchema, PgConfig, ReadPool, Session};
use tokio::time::timeout;

/// Far above what anything here takes, far below a test runner's patience.
const PATIENCE: Duration = Duration::from_secs(30);

async fn stack() -> TestStack {
    TestStack::migrated().await.unwrap()
}

fn config(stack: &TestStack, role: &str, database: &str) -> PgConfig {
    PgConfig::parse(&stack.cluster.url(role, database), "live-test").unwrap()
}

/// An empty database of the superuser's.
async fn empty_database(stack: &TestStack, name: &str) -> PgConfig {
    let mut admin = Session::new(&config(stack, SUPERUSER, "postgres")).unwrap();
    let create = format!("CREATE DATABASE {name}");
    admin
        .client()
        .await
        .unwrap()
        .batch_execute(&create)
        .await
        .unwrap();
    config(stack, SUPERUSER, name)
}

const FIRST: (&str, &str) = ("V0001__first", "CREATE TABLE first (id int)");
const SECOND: (&str, &str) = ("V0002__second", "CREATE TABLE second (id int)");

#[tokio::test]
async fn migrations_run_once_however_often_and_however_many_start_them() {
    let stack = stack().await;
    let database = empty_database(&stack, "many").await;
    let files = [FIRST, SECOND];

    let runs = (0..4).map(|_| migrate::run_files(&database, &files));
    let reports = futures::future::try_join_all(runs).await.unwrap();

    let mut applied: Vec<usize> = reports.iter().map(|report| report.applied.len()).collect();
    applied.sort_unstable();
    assert_eq!(applied, [0, 0, 0, 2]);
    assert!(reports.iter().all(|report| report.version == 2));
}

#[tokio::test]
async fn a_newer_schema_an_edited_file_and_a_failing_one_are_refused() {
    let stack = stack().await;
    let database = empty_database(&stack, "refused").await;
    migrate::run_files(&database, &[FIRST, SECOND])
        .await
        .unwrap();

    let older = migrate::run_files(&database, &[FIRST]).await.unwrap_err();
    let newer = matches!(
        older,
        MigrateError::SchemaTooNew {
            found: 2,
            known: 1,
            ..
        }
    );
    assert!(newer, "{older}");

    let edited = ("V0001__first", "CREATE TABLE first (id bigint)");
    let error = migrate::run_files(&database, &[edited, SECOND])
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("refused") && error.contains("first"),
        "{error}"
    );

    let broken = (
        "V0003__broken",
        "CREATE TABLE third (id int); INSERT INTO third VALUES ('secret')",
    );
    let error = migrate::run_files(&database, &[FIRST, SECOND, broken])
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("broken") && !error.contains("secret"),
        "{error}"
    );
    let mut session = Session::new(&database).unwrap();
    let rows = session
        .client()
        .await
        .unwrap()
        .query("SELECT to_regclass('third')::text", &[])
        .await;
    let left: Option<String> = rows.unwrap()[0].get(0);
    assert_eq!(left, None, "the failed migration left a table behind");
}

#[tokio::test]
async fn a_run_time_role_can_tell_whether_its_schema_is_new_enough() {
    let stack = stack().await;
    for schema in Schema::ALL
        .into_iter()
        .filter(|schema| *schema != Schema::Gateway)
    {
        let name = schema.name();
        let database = config(&stack, name, &format!("{name}db"));
        let mut session = Session::new(&database).unwrap();
        let state = migrate::state(session.client().await.unwrap(), schema)
            .await
            .unwrap();
        assert_eq!(state, SchemaState::Ready, "{name}");
    }
    let empty = empty_database(&stack, "unmigrated").await;
    let mut session = Session::new(&empty).unwrap();
    let state = migrate::state(session.client().await.unwrap(), Schema::Orders)
        .await
        .unwrap();
    assert!(
        matches!(state, SchemaState::Behind { found: 0, .. }),
        "{state:?}"
    );
}

#[tokio::test]
async fn a_lost_connection_is_not_another_process_that_migrates() {
    let stack = stack().await;
    let database = empty_database(&stack, "waited_for").await;
    let mut other = Session::new(&database).unwrap();
    // The lock of the migrations.
    let take = "SELECT pg_advisory_lock(x'73686f706d696772'::bigint)";
    other
        .client()
        .await
        .unwrap()
        .batch_execute(take)
        .await
        .unwrap();
    let mut waiter = Session::new(&database.named("waiter")).unwrap();

    let waiting = migrate::run_on(&mut waiter, Schema::Provider);
    let cutting = async {
        let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                   WHERE application_name = 'waiter' AND wait_event = 'advisory'";
        let client = other.client().await.unwrap();
        while client.query_one(cut, &[]).await.unwrap().get::<_, i64>(0) == 0 {}
    };
    let (lost, ()) = timeout(PATIENCE, async { tokio::join!(waiting, cutting) })
        .await
        .unwrap();

    assert!(
        matches!(lost, Err(MigrateError::Disconnected(_))),
        "{lost:?}"
    );
    other.discard();
    let done = migrate::run_on(&mut waiter, Schema::Provider)
        .await
        .unwrap();
    assert!(!done.applied.is_empty());
    assert!(!waiter.is_connected(), "it would go on holding the lock");
}

/// Runs `sql` and returns how the session judges its failure.
async fn failure(session: &mut Session, sql: &str) -> shopapi_postgres::Failure {
    let error = session
        .client()
        .await
        .unwrap()
        .batch_execute(sql)
        .await
        .unwrap_err();
    session.judge(&error)
}

#[tokio::test]
async fn a_refusal_keeps_the_connection_and_names_no_value() {
    let stack = stack().await;
    let mut session = Session::new(&empty_database(&stack, "judged").await).unwrap();
    let create = "CREATE TABLE t (id int PRIMARY KEY, name text UNIQUE CHECK (name <> 'sesame'))";
    session
        .client()
        .await
        .unwrap()
        .batch_execute(create)
        .await
        .unwrap();
    let insert = "INSERT INTO t VALUES (1, 'open')";
    session
        .client()
        .await
        .unwrap()
        .batch_execute(insert)
        .await
        .unwrap();
    let backend = backend_of(&mut session).await;

    for (sql, class) in [
        ("INSERT INTO t VALUES (2, 'open')", FailureClass::Data),
        ("INSERT INTO t VALUES (2, 'sesame')", FailureClass::Data),
        ("INSERT INTO t VALUES ('sesame', 'x')", FailureClass::Data),
        (
            "SET statement_timeout = '10ms'; SELECT pg_sleep(5)",
            FailureClass::Retry,
        ),
        ("SELECT * FROM sesame_street", FailureClass::Other),
    ] {
        let failure = failure(&mut session, sql).await;
        assert_eq!(failure.class, class, "{sql}: {failure}");
        assert!(
            !failure.text.contains("'sesame'") && !failure.text.contains("\"sesame\""),
            "{failure}"
        );
        assert!(!failure.text.contains("open"), "{failure}");
    }
    assert_eq!(backend_of(&mut session).await, backend);
}

async fn backend_of(session: &mut Session) -> i32 {
    let client = session.client().await.unwrap();
    client
        .query_one("SELECT pg_backend_pid()", &[])
        .await
        .unwrap()
        .get(0)
}

#[tokio::test]
async fn a_lock_that_is_not_given_means_repeat() {
    let stack = stack().await;
    let database = empty_database(&stack, "locked").await;
    let (mut holder, mut waiter) = (
        Session::new(&database).unwrap(),
        Session::new(&database).unwrap(),
    );
    let hold = "CREATE TABLE t (id int); BEGIN; LOCK TABLE t";
    // `BEGIN` makes the rest a transaction of its own, which stays open.
    for statement in hold.split("; ") {
        holder
            .client()
            .await
            .unwrap()
            .batch_execute(statement)
            .await
            .unwrap();
    }
    let failure = failure(&mut waiter, "SET lock_timeout = '10ms'; SELECT * FROM t").await;
    assert_eq!(failure.class, FailureClass::Retry, "{failure}");
}

#[tokio::test]
async fn a_connection_cut_under_a_statement_leaves_its_outcome_unknown_and_the_next_one_works() {
    let stack = stack().await;
    let database = empty_database(&stack, "cut").await;
    let mut session = Session::new(&database).unwrap();
    let mut killer = Session::new(&database).unwrap();
    let victim = backend_of(&mut session).await;

    let kill = async {
        let client = killer.client().await.unwrap();
        let asleep = "SELECT count(*) FROM pg_stat_activity WHERE pid = $1 AND query LIKE '%pg_sleep(%' AND state = 'active'";
        while client
            .query_one(asleep, &[&victim])
            .await
            .unwrap()
            .get::<_, i64>(0)
            == 0
        {
            tokio::task::yield_now().await;
        }
        client
            .query("SELECT pg_terminate_backend($1)", &[&victim])
            .await
            .unwrap();
    };
    let (failure, ()) = tokio::join!(failure(&mut session, "SELECT pg_sleep(60)"), kill);

    assert_eq!(failure.class, FailureClass::Unknown, "{failure}");
    assert!(!session.is_connected());
    assert_ne!(backend_of(&mut session).await, victim);
}

#[tokio::test]
async fn a_session_and_a_pool_survive_a_crash_of_the_server() {
    let mut stack = stack().await;
    let database = empty_database(&stack, "crash").await;
    let mut session = Session::new(&database).unwrap();
    let pool = ReadPool::new(&database, 2).unwrap();
    backend_of(&mut session).await;
    pool.ping().await.unwrap();

    stack.cluster.kill().await.unwrap();
    let gone = timeout(PATIENCE, async {
        // The first look may still find the old connection; what counts is that every look ends with an answer.
        while session.client().await.is_ok() {
            session.discard();
        }
    });
    gone.await.expect("a lost server was not noticed");
    assert!(pool.ping().await.is_err());

    stack.cluster.start().await.unwrap();
    let back = timeout(PATIENCE, async {
        while session.client().await.is_err() || pool.ping().await.is_err() {
            tokio::task::yield_now().await;
        }
    });
    back.await.expect("a server that is back was not found");
    backend_of(&mut session).await;
}

#[tokio::test]
async fn a_stale_plan_is_forgotten_and_the_repeat_works() {
    let stack = stack().await;
    let database = empty_database(&stack, "stale").await;
    let mut owner = Session::new(&database).unwrap();
    owner
        .client()
        .await
        .unwrap()
        .batch_execute("CREATE TABLE t (a int)")
        .await
        .unwrap();
    let mut session = Session::new(&database).unwrap();
    let pool = ReadPool::new(&database, 1).unwrap();
    let sql = "SELECT * FROM t";
    let client = session.client().await.unwrap();
    client
        .query(&client.prepare_cached(sql).await.unwrap(), &[])
        .await
        .unwrap();
    let pooled = pool.get().await.unwrap();
    pooled
        .query(&pooled.prepare_cached(sql).await.unwrap(), &[])
        .await
        .unwrap();

    owner
        .client()
        .await
        .unwrap()
        .batch_execute("ALTER TABLE t ADD b int")
        .await
        .unwrap();

    let statement = session
        .client()
        .await
        .unwrap()
        .prepare_cached(sql)
        .await
        .unwrap();
    let error = session
        .client()
        .await
        .unwrap()
        .query(&statement, &[])
        .await
        .unwrap_err();
    assert_eq!(session.judge(&error).class, FailureClass::StalePlan);
    let client = session.client().await.unwrap();
    client
        .query(&client.prepare_cached(sql).await.unwrap(), &[])
        .await
        .unwrap();

    let statement = pooled.prepare_cached(sql).await.unwrap();
    let error = pooled.query(&statement, &[]).await.unwrap_err();
    assert_eq!(pool.judge(pooled, &error).class, FailureClass::StalePlan);
    let pooled = pool.get().await.unwrap();
    pooled
        .query(&pooled.prepare_cached(sql).await.unwrap(), &[])
        .await
        .unwrap();
}

#[tokio::test]
async fn a_statement_is_prepared_once_per_connection_and_a_full_pool_answers() {
    let stack = stack().await;
    let pool = ReadPool::new(&config(&stack, "orders", "ordersdb"), 1).unwrap();
    let client = pool.get().await.unwrap();
    for _ in 0..3 {
        let statement = client.prepare_cached("SELECT 41 + 1").await.unwrap();
        client.query(&statement, &[]).await.unwrap();
    }
    let rows = client.query(
        "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%41%'",
        &[],
    );
    // The counting statement itself holds the text as well.
    assert_eq!(rows.await.unwrap()[0].get::<_, i64>(0), 2);

    let waiting = timeout(PATIENCE, pool.get())
        .await
        .expect("a full pool waits for ever");
    assert!(waiting.is_err());
    drop(client);
    assert!(pool.get().await.is_ok());
}

#[tokio::test]
async fn settings_hold_from_the_first_statement_of_every_connection() {
    let stack = stack().await;
    let config = config(&stack, "orders", "ordersdb")
        .with_settings(&[("jit", "off"), ("search_path", "public, nowhere")]);
    let mut session = Session::new(&config).unwrap();
    for _ in 0..2 {
        let client = session.client().await.unwrap();
        let query = "SELECT current_setting('jit'), current_setting('search_path')";
        let row = client.query_one(query, &[]).await.unwrap();
        assert_eq!(row.get::<_, &str>(0), "off");
        assert_eq!(row.get::<_, &str>(1), "public, nowhere");
        session.discard();
    }
}

#[tokio::test]
async fn a_schema_that_was_seen_stays_known_and_ready_means_that_the_database_answers() {
    let mut stack = stack().await;
    let empty = empty_database(&stack, "unmigrated").await;
    let behind = KnownSchema::new(ReadPool::new(&empty, 1).unwrap(), Schema::Payments);
    assert!(!behind.is_ready().await && !behind.is_known().await);

    let database = config(&stack, "payments", "paymentsdb");
    let schema = KnownSchema::new(ReadPool::new(&database, 1).unwrap(), Schema::Payments);
    assert!(schema.is_ready().await);
    stack.cluster.kill().await.unwrap();
    assert!(schema.clone().is_known().await);
    assert!(!schema.is_ready().await);
}

#[tokio::test]
async fn a_probe_that_is_given_up_leaves_no_hanging_connection_in_the_pool() {
    let stack = stack().await;
    let network = Proxy::start(stack.cluster.addr()).await.unwrap();
    let server = stack.cluster.addr().to_string();
    let url = stack
        .url("orders")
        .replace(&server, &network.addr().to_string());
    let pool = ReadPool::new(&PgConfig::parse(&url, "live-test").unwrap(), 1).unwrap();
    pool.ping().await.unwrap();

    network.freeze();
    let given_up = timeout(Duration::from_millis(10), pool.ping()).await;

    assert!(given_up.is_err());
    assert!(pool.get().await.is_err(), "the hanging connection is lent");
    network.heal();
    pool.ping().await.unwrap();
}
