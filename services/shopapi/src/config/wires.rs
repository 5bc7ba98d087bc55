//! The links to PostgreSQL and NATS: who is believed there, what may travel in the clear, which secrets are none.

use std::path::{Path, PathBuf};

use jetstream::BusOptions;
use shopapi_postgres::PgConfig;
use shopapi_rpc::Trust;
use shopapi_tls::TrustedRoots;

use super::parse::{bus_options, stream_replicas};
use super::{
    ALLOW_UNSAFE_DURABILITY, DATABASE_CA, MODE, NATS_CA, NATS_STREAM_REPLICAS, NATS_URL, TLS_DIR,
};
use crate::env::Env;

/// Words that stand in samples where a secret should stand.
const SAMPLE_WORDS: [&str; 8] = [
    "changeme",
    "change-me",
    "change_me",
    "secret",
    "password",
    "example",
    "sample",
    "0123456789",
];
/// 32 random hexadecimal digits have fewer different ones about once in ten million times.
const DIFFERENT_MIN: usize = 8;

/// Development: samples, plaintext and demo users are allowed.
pub(super) fn is_dev(env: &mut Env) -> bool {
    env.or(MODE, false, |text| match text {
        "dev" => Ok(true),
        "prod" => Ok(false),
        _ => Err("must be `dev` or `prod`"),
    })
}

/// A database that has to be named.
pub(super) fn database(
    env: &mut Env,
    key: &str,
    database: &str,
    application: &str,
) -> Option<PgConfig> {
    let example = format!("postgres://{application}:PASSWORD@127.0.0.1:5432/{database}");
    let config = env.required(key, &example, |url| {
        PgConfig::parse(url, &format!("shopapi-{application}"))
    })?;
    let config = secured(env, key, config)?;
    Some(if allows_unsafe_durability(env) {
        config
    } else {
        config.durable_only()
    })
}

/// A database of `shopapi migrate`.
pub(super) fn owned_database(env: &mut Env, key: &str) -> Option<PgConfig> {
    let config = env.optional(key, |url| PgConfig::parse(url, "shopapi-migrate"))?;
    secured(env, key, config)
}

/// Gives a database its CA; outside development it must have one, and a password that is none of a sample's.
fn secured(env: &mut Env, key: &str, config: PgConfig) -> Option<PgConfig> {
    let is_dev = is_dev(env);
    if !is_dev && config.has_password(|password| sample_word(password).is_some()) {
        env.problem(
            key,
            "has a password out of a sample: give the role a random one, for example the output of `openssl rand -hex 32`",
        );
        return None;
    }
    if config.is_plaintext() {
        if is_dev {
            return Some(config);
        }
        env.problem(
            key,
            "asks for plaintext (sslmode=disable), which is for SHOPAPI_MODE=dev only: remove it, and name the server's CA with SHOPAPI_DATABASE_CA",
        );
        return None;
    }
    if !config.needs_ca() {
        return Some(config);
    }
    let (variable, ca) = match (env.text(DATABASE_CA), env.text(TLS_DIR)) {
        (Some(file), _) => (DATABASE_CA, PathBuf::from(file)),
        (None, Some(dir)) => (TLS_DIR, Path::new(dir).join("ca.crt")),
        (None, None) => {
            env.problem(
                DATABASE_CA,
                "is missing: set it to the file with the CA of the database servers",
            );
            return None;
        }
    };
    match config.trusting(&ca) {
        Ok(config) => Some(config),
        Err(error) => {
            env.problem(variable, error);
            None
        }
    }
}

/// Databases without durability are for tests: they must be asked for by name, and only in development.
fn allows_unsafe_durability(env: &mut Env) -> bool {
    let allowed = env.or(ALLOW_UNSAFE_DURABILITY, false, |text| match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("must be `yes` or `no`"),
    });
    if allowed && !is_dev(env) {
        env.problem(
            ALLOW_UNSAFE_DURABILITY,
            "is for SHOPAPI_MODE=dev only: remove it, and switch fsync and synchronous_commit on at the server",
        );
    }
    allowed
}

/// The bus, over TLS with this process's own certificate.
pub(super) fn bus(env: &mut Env, service: &str, trust: Option<&Trust>) -> Option<BusOptions> {
    let options = env.required(NATS_URL, "nats://127.0.0.1:4222", |urls| {
        bus_options(urls, service)
    });
    let replicas = env.or(NATS_STREAM_REPLICAS, 1, stream_replicas);
    let roots = env.optional(NATS_CA, |file| TrustedRoots::load(PathBuf::from(file)));
    let identity = trust?.identity();
    let tls = match roots {
        None => identity.client_config(&[]),
        Some(roots) => {
            // The identity is followed by the servers that use it; these roots are only the bus's.
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                runtime.spawn(roots.watch());
            }
            match identity.client_config_trusting(&roots, &[]) {
                Ok(tls) => tls,
                Err(error) => {
                    env.problem(NATS_CA, error);
                    return None;
                }
            }
        }
    };
    let mut options = options?.secured(tls, service);
    options.stream_replicas = replicas;
    Some(options)
}

/// Why a secret is none: everybody can guess it. Nothing in development, where secrets are written down.
pub(super) fn is_guessable(secret: &str) -> Option<&'static str> {
    if sample_word(secret).is_some() {
        return Some("is out of a sample");
    }
    let mut characters: Vec<char> = secret.chars().collect();
    let repeated = (1..=characters.len() / 2).any(|period| {
        characters
            .iter()
            .zip(characters.iter().skip(period))
            .all(|(one, other)| one == other)
    });
    characters.sort_unstable();
    characters.dedup();
    (repeated || characters.len() < DIFFERENT_MIN).then_some("repeats itself")
}

fn sample_word(secret: &str) -> Option<&'static str> {
    let lower = secret.to_lowercase();
    SAMPLE_WORDS.into_iter().find(|word| lower.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_anybody_can_guess_is_none() {
        for guessable in [
            "changeme-changeme-changeme-changeme",
            "my-super-SECRET-key-for-production!",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "abcdefgh-abcdefgh-abcdefgh-abcdefgh-",
            "0123456789abcdef0123456789abcdef",
        ] {
            assert!(is_guessable(guessable).is_some(), "{guessable}");
        }
        for fine in [
            "b7f3a9d05c1e48826f0d9e3ba4c57186",
            "q8Zr-4vN_xT2mLk9WcJh7YpBs5DfGa31",
        ] {
            assert_eq!(is_guessable(fine), None, "{fine}");
        }
    }
}
