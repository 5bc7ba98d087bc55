//! What is written, as a whole: the count and a digest of every row of every table of every database.

use std::collections::BTreeMap;

use devstack::{DATABASES, SUPERUSER, Stack};

/// Two are equal when no row was added, changed or removed in between.
pub(crate) async fn fingerprint(stack: &Stack) -> BTreeMap<String, (i64, String)> {
    let mut tables = BTreeMap::new();
    for database in DATABASES {
        let client = stack
            .cluster
            .connect(SUPERUSER, database.database)
            .await
            .unwrap();
        let names = "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
                     WHERE schemaname NOT IN ('pg_catalog', 'information_schema')";
        for row in client.query(names, &[]).await.unwrap() {
            let table: String = row.get(0);
            let digest = format!(
                "SELECT count(*), coalesce(md5(string_agg(md5(t::text), '' ORDER BY md5(t::text))), '') FROM {table} t"
            );
            let row = client.query_one(&digest, &[]).await.unwrap();
            tables.insert(
                format!("{}.{table}", database.database),
                (row.get(0), row.get(1)),
            );
        }
    }
    assert!(
        tables.len() > 15,
        "the tables of five databases: {tables:?}"
    );
    tables
}
