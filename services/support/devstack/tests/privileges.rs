//! What each role may do with each table, as the migrations grant it, against a table that is read by people. A migration that grants more
//! has to change it here as well.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use std::fmt::Write as _;

use devstack::{AUDIT_ROLE, DATABASES, SUPERUSER, TestStack};

/// The books: what is in them was money or goods. Nobody who serves callers may remove a row.
const BOOKS: [(&str, &[&str]); 3] = [
    ("ordersdb", &["orders", "order_timeline"]),
    ("paymentsdb", &["payments", "payment_attempts", "refunds"]),
    ("providerdb", &["provider_charges", "provider_refunds"]),
];
const EXPECTED: &str = include_str!("privileges.txt");

/// One line per table and role that may do anything: `ordersdb.orders orders: select insert update(…)`.
async fn privileges(stack: &TestStack) -> String {
    let mut text = String::new();
    for database in DATABASES {
        let client = stack
            .cluster
            .connect(SUPERUSER, database.database)
            .await
            .unwrap();
        let roles: Vec<&str> = DATABASES
            .iter()
            .map(|spec| spec.runtime)
            .chain([AUDIT_ROLE])
            .collect();
        let rows = client
            .query(
                "SELECT t.tablename::text, r.role,
                        has_table_privilege(r.role, c.oid, 'SELECT'),
                        has_table_privilege(r.role, c.oid, 'INSERT'),
                        has_table_privilege(r.role, c.oid, 'DELETE'),
                        has_table_privilege(r.role, c.oid, 'TRUNCATE'),
                        has_table_privilege(r.role, c.oid, 'REFERENCES'),
                        has_table_privilege(r.role, c.oid, 'TRIGGER'),
                        has_table_privilege(r.role, c.oid, 'UPDATE'),
                        (SELECT coalesce(string_agg(a.attname, ' ' ORDER BY a.attname), '')
                           FROM pg_attribute a
                          WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                            AND has_column_privilege(r.role, c.oid, a.attnum, 'UPDATE'))
                   FROM pg_tables t
                   JOIN pg_class c ON c.oid = format('%I.%I', t.schemaname, t.tablename)::regclass
                   CROSS JOIN unnest($1::text[]) AS r(role)
                  WHERE t.schemaname NOT IN ('pg_catalog', 'information_schema')
                  ORDER BY t.tablename, r.role",
                &[&roles],
            )
            .await
            .unwrap();
        for row in rows {
            let may: Vec<String> = [
                "select",
                "insert",
                "delete",
                "truncate",
                "references",
                "trigger",
                "update",
            ]
            .into_iter()
            .enumerate()
            .filter(|(column, _)| row.get::<_, bool>(column + 2))
            .map(|(_, name)| name.to_owned())
            .chain({
                let columns: String = row.get(9);
                (!row.get::<_, bool>(8) && !columns.is_empty())
                    .then(|| format!("update({columns})"))
            })
            .collect();
            let (table, role): (String, String) = (row.get(0), row.get(1));
            if !may.is_empty() && table != "refinery_schema_history" {
                let _ = writeln!(
                    text,
                    "{}.{table} {role}: {}",
                    database.database,
                    may.join(" ")
                );
            }
        }
    }
    text
}

#[tokio::test]
async fn every_role_may_do_what_the_table_says() {
    let stack = TestStack::migrated().await.unwrap();
    let found = privileges(&stack).await;
    let comments = |text: &str| {
        text.lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty())
            .map(|line| format!("{line}\n"))
            .collect::<String>()
    };
    assert_eq!(found, comments(EXPECTED), "in full:\n{found}");
}

#[tokio::test]
async fn nobody_who_serves_callers_removes_rows_from_the_books_or_changes_the_schema() {
    let stack = TestStack::migrated().await.unwrap();
    for (database, tables) in BOOKS {
        let spec = DATABASES
            .iter()
            .find(|spec| spec.database == database)
            .unwrap();
        let runtime = stack.cluster.connect(spec.runtime, database).await.unwrap();
        for table in tables {
            for statement in [
                format!("DELETE FROM {table}"),
                format!("TRUNCATE {table}"),
                format!("DROP TABLE {table}"),
                format!("ALTER TABLE {table} ADD COLUMN mine int"),
            ] {
                let refused = runtime.batch_execute(&statement).await.unwrap_err();
                assert_eq!(refused.code().unwrap().code(), "42501", "{statement}");
            }
            // The refusals are the role's, not those of a closed connection.
            runtime
                .query(&format!("SELECT 1 FROM {table} LIMIT 1"), &[])
                .await
                .unwrap();
        }
        for statement in [
            "CREATE TABLE mine ()",
            "CREATE SCHEMA mine",
            "CREATE TEMP TABLE mine ()",
        ] {
            let refused = runtime.batch_execute(statement).await.unwrap_err();
            assert_eq!(refused.code().unwrap().code(), "42501", "{statement}");
        }
    }
}

#[tokio::test]
async fn a_role_connects_to_its_own_database_and_no_other() {
    let stack = TestStack::migrated().await.unwrap();
    for role in DATABASES {
        for database in DATABASES {
            for user in [role.runtime, role.owner] {
                let connected = stack.cluster.connect(user, database.database).await;
                let is_own = role.database == database.database;
                match connected {
                    Ok(_) => assert!(is_own, "{user} connected to {}", database.database),
                    Err(error) => {
                        assert!(!is_own, "{user} to {}: {error}", database.database);
                        assert!(error.to_string().contains("42501"), "{error}");
                    }
                }
            }
        }
        let elsewhere = stack.cluster.connect(role.runtime, "postgres").await;
        assert!(elsewhere.is_err(), "{} connected to postgres", role.runtime);
    }
}
