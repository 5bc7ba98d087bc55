//! From the plan and the Secrets as they are to what has to be written. Works in a private directory that is gone afterwards.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use devstack::{ClusterNames, Pki};
use uuid::Uuid;

use super::plan::{Plan, Text};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A Secret as it was read.
#[derive(Debug, Default, Clone)]
pub(super) struct Secret {
    /// What a write must quote.
    pub(super) version: String,
    /// Its keys.
    pub(super) texts: Texts,
}

/// Keys and values of a Secret.
pub(super) type Texts = BTreeMap<String, String>;
/// Secrets by name.
pub(super) type Secrets = BTreeMap<String, Secret>;
/// What to write, in this order: nobody gets a certificate before its authority is safe.
pub(super) type Changes = Vec<(String, Texts)>;

/// What is missing or near its end.
pub(super) fn changes(plan: &Plan, secrets: &Secrets) -> Result<Changes> {
    let mut wanted = Wanted {
        secrets,
        changes: Vec::new(),
    };
    if plan.authority.is_some() || !plan.service_keys.is_empty() {
        let dir = PrivateDir::new()?;
        keys_and_certificates(plan, &dir.0, &mut wanted)?;
    }
    for text in plan.texts.iter().filter(|text| text.random) {
        if wanted.current(&text.secret, &text.key).is_none() {
            // 244 random bits.
            let fresh = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
            wanted.set(&text.secret, &text.key, fresh);
        }
    }
    for text in plan.texts.iter().filter(|text| !text.random) {
        let value = composed(text, &wanted)?;
        wanted.set(&text.secret, &text.key, value);
    }
    Ok(wanted.changes)
}

fn composed(text: &Text, wanted: &Wanted<'_>) -> Result<String> {
    let template = text.text.clone().unwrap_or_default();
    let Some(at) = &text.password else {
        return Ok(template);
    };
    match wanted.current(&at.secret, &at.key) {
        Some(password) => Ok(template.replace("{password}", password)),
        None => bail!(
            "{}/{} is used by {}/{} but the plan does not make it",
            at.secret,
            at.key,
            text.secret,
            text.key
        ),
    }
}

/// Lays the Secrets out as files, lets [`Pki`] make what is missing, and takes what is new.
fn keys_and_certificates(plan: &Plan, dir: &Path, wanted: &mut Wanted<'_>) -> Result<()> {
    let mut places: Vec<(PathBuf, &str, String)> = Vec::new();
    if let Some(authority) = &plan.authority {
        for file in ["ca.crt", "ca.key"] {
            places.push((dir.join(file), authority, file.to_owned()));
        }
    }
    if let Some(public) = &plan.public_keys {
        for signer in &plan.service_keys {
            let file = format!("{}.pem", signer.name);
            places.push((dir.join("jwt-public").join(&file), public, file));
        }
    }
    for holder in &plan.certificates {
        for file in ["tls.crt", "tls.key", "ca.crt"] {
            let path = dir.join(&holder.name).join(file);
            places.push((path, &holder.secret, file.to_owned()));
        }
    }
    for signer in &plan.service_keys {
        let path = dir.join(&signer.name).join("jwt.key");
        places.push((path, &signer.secret, "jwt.key".to_owned()));
    }
    for (path, secret, key) in &places {
        if let Some(text) = wanted.current(secret, key) {
            write_private(path, text)?;
        }
    }
    let names = plan
        .names
        .as_ref()
        .map_or_else(ClusterNames::default, |n| ClusterNames {
            prefix: n.prefix.clone(),
            namespace: n.namespace.clone(),
            domain: n.cluster_domain.clone(),
        });
    Pki::with_names(dir, DAY * plan.certificate_days, names)?;
    for (path, secret, key) in places {
        let made = fs::read_to_string(&path).with_context(|| {
            format!("{key} of {secret} was not made: does the plan name somebody unknown?")
        })?;
        wanted.set(secret, &key, made);
    }
    Ok(())
}

/// The Secrets as they will be.
struct Wanted<'a> {
    secrets: &'a Secrets,
    changes: Changes,
}

impl Wanted<'_> {
    fn current(&self, secret: &str, key: &str) -> Option<&str> {
        let changed = self
            .changes
            .iter()
            .find(|(name, _)| name == secret)
            .and_then(|(_, texts)| texts.get(key));
        let text = changed.or_else(|| self.secrets.get(secret)?.texts.get(key))?;
        // An empty value is how a template leaves room.
        (!text.is_empty()).then_some(text.as_str())
    }

    fn set(&mut self, secret: &str, key: &str, value: String) {
        if self.current(secret, key) == Some(value.as_str()) {
            return;
        }
        let index = self.changes.iter().position(|(name, _)| name == secret);
        let texts = match index.and_then(|index| self.changes.get_mut(index)) {
            Some((_, texts)) => texts,
            None => {
                self.changes.push((secret.to_owned(), Texts::new()));
                match self.changes.last_mut() {
                    Some((_, texts)) => texts,
                    None => return,
                }
            }
        };
        texts.insert(key.to_owned(), value);
    }
}

/// A directory that only this user can read, and that is removed with its contents.
struct PrivateDir(PathBuf);

impl PrivateDir {
    fn new() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("shopctl-pki-{}", Uuid::new_v4().simple()));
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for PrivateDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn write_private(path: &Path, text: &str) -> Result<()> {
    let write = || {
        if let Some(parent) = path.parent() {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(parent)?;
        }
        let mut options = fs::OpenOptions::new();
        let mut file = options
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(path)?;
        std::io::Write::write_all(&mut file, text.as_bytes())
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(days: u32) -> Plan {
        let text = format!(
            r#"{{
              "authority": "ca", "certificate_days": {days},
              "certificates": [{{"name": "orders", "secret": "tls-orders"}}, {{"name": "nats", "secret": "tls-nats"}}],
              "service_keys": [{{"name": "orders", "secret": "key-orders"}}], "public_keys": "public",
              "names": {{"prefix": "till", "namespace": "prod", "cluster_domain": "cluster.local"}},
              "texts": [
                {{"secret": "db", "key": "url", "text": "postgres://orders:{{password}}@till-orders-db:5432/ordersdb",
                  "password": {{"secret": "db", "key": "password"}}}},
                {{"secret": "db", "key": "password", "random": true}}
              ]
            }}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    fn applied(mut secrets: Secrets, changes: Changes) -> Secrets {
        for (name, texts) in changes {
            secrets.entry(name).or_default().texts.extend(texts);
        }
        secrets
    }

    fn text<'a>(secrets: &'a Secrets, secret: &str, key: &str) -> &'a str {
        &secrets[secret].texts[key]
    }

    #[test]
    fn empty_secrets_are_filled_and_full_ones_left_alone() {
        let plan = plan(90);
        let filled = applied(Secrets::new(), changes(&plan, &Secrets::new()).unwrap());

        let password = text(&filled, "db", "password");
        assert_eq!(password.len(), 64);
        assert_eq!(
            text(&filled, "db", "url"),
            format!("postgres://orders:{password}@till-orders-db:5432/ordersdb")
        );
        assert_eq!(
            text(&filled, "tls-orders", "ca.crt"),
            text(&filled, "ca", "ca.crt")
        );
        assert!(text(&filled, "key-orders", "jwt.key").contains("PRIVATE KEY"));
        assert!(text(&filled, "public", "orders.pem").contains("PUBLIC KEY"));

        assert_eq!(changes(&plan, &filled).unwrap(), Changes::new());
    }

    #[test]
    fn the_authority_is_written_before_anything_it_signed() {
        let order: Vec<String> = changes(&plan(90), &Secrets::new())
            .unwrap()
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(
            order,
            ["ca", "public", "tls-orders", "tls-nats", "key-orders", "db"]
        );
    }

    #[test]
    fn a_lost_certificate_is_made_again_by_the_same_authority() {
        let plan = plan(90);
        let mut filled = applied(Secrets::new(), changes(&plan, &Secrets::new()).unwrap());
        let others = filled.clone();
        filled.get_mut("tls-nats").unwrap().texts.clear();
        let changed = changes(&plan, &filled).unwrap();
        let names: Vec<&str> = changed.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["tls-nats"]);
        let filled = applied(filled, changed);
        assert_eq!(
            text(&filled, "tls-nats", "ca.crt"),
            text(&others, "ca", "ca.crt")
        );
        assert_ne!(
            text(&filled, "tls-nats", "tls.crt"),
            text(&others, "tls-nats", "tls.crt")
        );
    }

    #[test]
    fn a_certificate_with_other_names_is_renewed() {
        let before = plan(90);
        let filled = applied(Secrets::new(), changes(&before, &Secrets::new()).unwrap());
        let mut moved = plan(90);
        moved.names.as_mut().unwrap().namespace = "elsewhere".to_owned();
        let changed = changes(&moved, &filled).unwrap();
        let names: Vec<&str> = changed.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["tls-orders", "tls-nats"]);
    }

    #[test]
    fn a_plan_that_uses_a_password_it_does_not_make_is_refused() {
        let mut plan = plan(90);
        plan.texts.retain(|text| !text.random);
        let error = changes(&plan, &Secrets::new()).unwrap_err().to_string();
        assert!(error.contains("db/password"), "{error}");
    }
}
