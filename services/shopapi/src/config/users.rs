//! Users: the keys of their tokens, their passwords, and those of development.

use secrecy::SecretString;
use shopapi_auth::{
    DemoUser, Guessable, PasswordPool, UserKey, UserKeyError, UserKeys, UserSecret,
};

use super::wires::{is_dev, is_guessable};
use super::{A_SECRET, DEMO_USERS, MODE, USER_JWT_SECRET, USER_JWT_SECRET_PREVIOUS};
use shopapi_tls::{IdentityFiles, PinnedServer, ServerCertificate, TlsError};
use std::path::Path;

use crate::env::Env;

/// Demo users are for development: their passwords are known to everybody who reads the configuration.
pub(super) fn demo_users(env: &mut Env) -> Option<Vec<DemoUser>> {
    let is_dev = is_dev(env);
    let Some(list) = env.text(DEMO_USERS).map(SecretString::from) else {
        return Some(Vec::new());
    };
    if !is_dev {
        env.problem(
            DEMO_USERS,
            "is for SHOPAPI_MODE=dev only: remove it, or set that mode",
        );
        return None;
    }
    DemoUser::parse_list(&list)
        .map_err(|error| env.problem(DEMO_USERS, format_args!("is not a list of users: {error}")))
        .ok()
}

/// `tls.crt` and `tls.key` of the public port.
pub(super) fn certificate(dir: &str) -> Result<ServerCertificate, TlsError> {
    let files = IdentityFiles::in_dir(Path::new(dir));
    ServerCertificate::load(files.cert, files.key)
}

/// The server that shows that certificate.
pub(super) fn pinned(dir: &str) -> Result<PinnedServer, TlsError> {
    PinnedServer::load(&IdentityFiles::in_dir(Path::new(dir)).cert)
}

pub(super) fn passwords(env: &mut Env) -> Option<PasswordPool> {
    PasswordPool::new()
        .map_err(|error| env.problem(MODE, format_args!("cannot be served: {error}")))
        .ok()
}

/// Why a secret does not sign users' tokens.
#[derive(Debug, thiserror::Error)]
enum BadUserKey {
    #[error(transparent)]
    Unusable(#[from] UserKeyError),
    #[error("{0}: outside SHOPAPI_MODE=dev it has to be random, for example {A_SECRET}")]
    Guessable(&'static str),
}

/// The keys of users' tokens; those that come from files follow them.
pub(super) fn user_keys(env: &mut Env) -> Option<UserKeys> {
    let is_dev = is_dev(env);
    let current = env.required(USER_JWT_SECRET, A_SECRET, |text| {
        user_key_from(text, is_dev)
    });
    // Checked here, so that its problem has its name; `load` reads both again.
    let previous = env.optional(USER_JWT_SECRET_PREVIOUS, |text| user_key_from(text, is_dev));
    current?;
    if previous.is_none() && env.text(USER_JWT_SECRET_PREVIOUS).is_some() {
        return None;
    }
    let secret = |key| match env.file(key) {
        Some(file) => Some(UserSecret::File(file.to_owned())),
        None => env.text(key).map(|text| UserSecret::Value(text.into())),
    };
    // What is rotated in later is held against the same rule.
    let guessable: Guessable = if is_dev { |_| None } else { is_guessable };
    let (current, previous) = (secret(USER_JWT_SECRET)?, secret(USER_JWT_SECRET_PREVIOUS));
    match UserKeys::load(current, previous, guessable) {
        Ok(keys) => Some(keys),
        Err(error) => {
            env.problem(USER_JWT_SECRET, error);
            None
        }
    }
}

fn user_key_from(secret: &str, is_dev: bool) -> Result<UserKey, BadUserKey> {
    let key = UserKey::new(secret)?;
    match is_guessable(secret) {
        Some(why) if !is_dev => Err(BadUserKey::Guessable(why)),
        _ => Ok(key),
    }
}
