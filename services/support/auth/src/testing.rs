//! Accounts in memory, for tests of whoever uses them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::future::BoxFuture;
use uuid::Uuid;

use crate::accounts::{
    Account, AccountStore, NewAccount, NewFamily, Registered, Rotation, StoreDown,
};
use crate::{CustomerId, Email, TokenHash};

#[derive(Debug, Default)]
struct Tables {
    accounts: HashMap<String, Account>,
    /// Customer, and whether it goes on.
    families: HashMap<Uuid, (CustomerId, bool)>,
    /// Family, and whether it can still be used.
    tokens: HashMap<TokenHash, (Uuid, bool)>,
}

/// A store that forgets everything at its end, and can be told to fail.
#[derive(Debug, Default)]
pub struct MemoryStore {
    tables: Mutex<Tables>,
    reads: AtomicU64,
    failing: AtomicBool,
}

impl MemoryStore {
    /// How often an account was looked up.
    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// Every call fails from now on, or no longer does.
    pub fn fail(&self, failing: bool) {
        self.failing.store(failing, Ordering::Relaxed);
    }

    /// Puts an account in, whatever its password would have to be.
    pub fn put(&self, email: &Email, account: Account) {
        self.lock()
            .accounts
            .insert(email.as_str().to_owned(), account);
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tables(&self) -> Result<MutexGuard<'_, Tables>, StoreDown> {
        if self.failing.load(Ordering::Relaxed) {
            return Err(StoreDown("told to fail".to_owned()));
        }
        Ok(self.lock())
    }

    fn rotated(&self, presented: TokenHash, fresh: TokenHash) -> Result<Rotation, StoreDown> {
        let mut tables = self.tables()?;
        let Some(&(family, unused)) = tables.tokens.get(&presented) else {
            return Ok(Rotation::Refused);
        };
        let Some(&(customer, alive)) = tables.families.get(&family) else {
            return Ok(Rotation::Refused);
        };
        Ok(match (alive, unused) {
            (false, _) => Rotation::Refused,
            (true, false) => {
                tables.families.insert(family, (customer, false));
                Rotation::Reused(family)
            }
            (true, true) => {
                tables.tokens.insert(presented, (family, false));
                tables.tokens.insert(fresh, (family, true));
                Rotation::Fresh(customer)
            }
        })
    }
}

fn put_family(tables: &mut Tables, customer: CustomerId, family: NewFamily) {
    tables.families.insert(family.id, (customer, true));
    tables.tokens.insert(family.token, (family.id, true));
}

impl AccountStore for MemoryStore {
    fn find<'a>(&'a self, email: &'a Email) -> BoxFuture<'a, Result<Option<Account>, StoreDown>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let found = self
            .tables()
            .map(|tables| tables.accounts.get(email.as_str()).cloned());
        Box::pin(std::future::ready(found))
    }

    fn register<'a>(
        &'a self,
        account: &'a NewAccount,
        family: NewFamily,
    ) -> BoxFuture<'a, Result<Registered, StoreDown>> {
        let registered = self.tables().map(|mut tables| {
            let email = account.email.as_str().to_owned();
            if tables.accounts.contains_key(&email) {
                return Registered::EmailTaken;
            }
            let NewAccount {
                customer, password, ..
            } = account.clone();
            tables
                .accounts
                .insert(email, Account { customer, password });
            put_family(&mut tables, customer, family);
            Registered::Done
        });
        Box::pin(std::future::ready(registered))
    }

    fn open(
        &self,
        customer: CustomerId,
        family: NewFamily,
    ) -> BoxFuture<'_, Result<(), StoreDown>> {
        let opened = self
            .tables()
            .map(|mut tables| put_family(&mut tables, customer, family));
        Box::pin(std::future::ready(opened))
    }

    fn rotate(
        &self,
        presented: TokenHash,
        fresh: TokenHash,
    ) -> BoxFuture<'_, Result<Rotation, StoreDown>> {
        Box::pin(std::future::ready(self.rotated(presented, fresh)))
    }

    fn logout(&self, token: TokenHash) -> BoxFuture<'_, Result<(), StoreDown>> {
        let ended = self.tables().map(|mut tables| {
            let family = tables.tokens.get(&token).map(|(family, _)| *family);
            if let Some((_, alive)) = family.and_then(|family| tables.families.get_mut(&family)) {
                *alive = false;
            }
        });
        Box::pin(std::future::ready(ended))
    }
}
