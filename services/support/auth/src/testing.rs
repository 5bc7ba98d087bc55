//! Accounts in memory, for tests of whoever uses them.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use futures::future::BoxFuture;
use uuid::Uuid;

use crate::accounts::{
    Account, AccountStore, NewAccount, NewFamily, Registered, Rotation, StoreDown,
};
use crate::{CustomerId, Email, Rate, TokenHash};

#[derive(Debug, Default)]
struct Tables {
    accounts: HashMap<String, Account>,
    /// Oldest first: their ids are in the order of time.
    families: BTreeMap<Uuid, Family>,
    /// Family, and whether it can still be used.
    tokens: HashMap<TokenHash, (Uuid, bool)>,
}

#[derive(Debug)]
struct Family {
    customer: CustomerId,
    goes_on: bool,
    /// When the whole burst of refreshes is allowed again.
    full_at: Instant,
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

    fn rotated(
        &self,
        presented: TokenHash,
        fresh: TokenHash,
        rate: Rate,
    ) -> Result<Rotation, StoreDown> {
        let mut guard = self.tables()?;
        let Tables {
            families, tokens, ..
        } = &mut *guard;
        let Some(&(id, unused)) = tokens.get(&presented) else {
            return Ok(Rotation::Refused);
        };
        let Some(family) = families.get_mut(&id).filter(|family| family.goes_on) else {
            return Ok(Rotation::Refused);
        };
        if !unused {
            family.goes_on = false;
            return Ok(Rotation::Reused(id));
        }
        let now = Instant::now();
        let next = family.full_at.max(now) + rate.refill;
        let allowed_until = now + rate.refill * rate.burst;
        if next > allowed_until {
            return Ok(Rotation::TooOften(next - allowed_until));
        }
        family.full_at = next;
        tokens.insert(presented, (id, false));
        tokens.insert(fresh, (id, true));
        Ok(Rotation::Fresh(family.customer))
    }
}

fn put_family(tables: &mut Tables, customer: CustomerId, new: NewFamily) {
    let family = Family {
        customer,
        goes_on: true,
        full_at: Instant::now(),
    };
    tables.families.insert(new.id, family);
    tables.tokens.insert(new.token, (new.id, true));
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
        live_max: u32,
    ) -> BoxFuture<'_, Result<(), StoreDown>> {
        let opened = self.tables().map(|mut tables| {
            put_family(&mut tables, customer, family);
            let own = tables.families.values_mut().rev();
            let live = own.filter(|family| family.customer == customer && family.goes_on);
            let live_max = usize::try_from(live_max).unwrap_or(usize::MAX);
            live.skip(live_max)
                .for_each(|family| family.goes_on = false);
        });
        Box::pin(std::future::ready(opened))
    }

    fn rotate(
        &self,
        presented: TokenHash,
        fresh: TokenHash,
        rate: Rate,
    ) -> BoxFuture<'_, Result<Rotation, StoreDown>> {
        Box::pin(std::future::ready(self.rotated(presented, fresh, rate)))
    }

    fn logout(&self, token: TokenHash) -> BoxFuture<'_, Result<(), StoreDown>> {
        let ended = self.tables().map(|mut tables| {
            let family = tables.tokens.get(&token).map(|(family, _)| *family);
            if let Some(family) = family.and_then(|family| tables.families.get_mut(&family)) {
                family.goes_on = false;
            }
        });
        Box::pin(std::future::ready(ended))
    }
}
