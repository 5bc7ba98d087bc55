//! Embeds `migrations/<schema>/V*.sql` into the crate, in the order of their versions.
//!
//! refinery's own `embed_migrations!` is a macro that runs again only when a file it already knows changes; a build script also sees
//! new files, and an absent or empty directory is an empty list instead of a broken build.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

const SCHEMAS: [&str; 5] = ["gateway", "orders", "inventory", "payments", "provider"];

#[expect(clippy::disallowed_macros, reason = "how build scripts talk to cargo")]
fn main() -> io::Result<()> {
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")?).join("../../../migrations");
    let target = PathBuf::from(variable("OUT_DIR")?).join("embedded.rs");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={}", root.display());

    let mut generated = String::new();
    for schema in SCHEMAS {
        let constant = schema.to_uppercase();
        let _ = writeln!(generated, "const {constant}: &[(&str, &str)] = &[");
        for path in sql_files(&root.join(schema))? {
            let stem = path
                .file_stem()
                .and_then(|stem| stem.to_str())
                .ok_or_else(|| {
                    io::Error::other(format!("{}: not a UTF-8 file name", path.display()))
                })?;
            let _ = writeln!(
                generated,
                "    ({stem:?}, include_str!({:?})),",
                path.canonicalize()?.display().to_string()
            );
        }
        generated.push_str("];\n");
    }
    fs::write(target, generated)
}

#[expect(
    clippy::disallowed_methods,
    reason = "how cargo talks to build scripts"
)]
fn variable(name: &str) -> io::Result<String> {
    env::var(name).map_err(|error| io::Error::other(format!("{name}: {error}")))
}

/// The `V*.sql` files of a directory, sorted by name; none when the directory is absent.
fn sql_files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let is_sql = path.extension().is_some_and(|extension| extension == "sql");
        let is_versioned = path
            .file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| name.starts_with('V'));
        if is_sql && is_versioned {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
