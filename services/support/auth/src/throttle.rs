//! Who failed too often has to wait. In the memory of this process: each replica of the gateway counts for itself, so that N replicas
//! let through N times as much, and a restart forgets. That is enough against guessing, and needs no write for each wrong password.
//!
//! A bucket holds `burst` attempts and gets one back every `refill` (GCRA: one instant per bucket says when it is full again). An attempt is
//! paid before it is checked and given back when it succeeds, so that many at once cannot slip through together.
//!
//! What comes from one address is counted apart: passwords, refresh tokens, registrations. Behind a proxy that nobody told us to believe, all
//! customers have one address, and whoever sends nonsense of one kind must not close the others for all of them.
//!
//! Memory is bounded, and so is the time for each attempt: a few buckets are looked at in turn, full ones are forgotten, and past [`BUCKETS_MAX`]
//! the fullest of those few goes. Somebody with that many addresses is not
//! slowed down by counting addresses anyway; the count per account is in a table of its own.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

use crate::email::Email;
use crate::refresh_token::TokenHash;

/// Buckets in each table: at about 50 bytes each a few MiB.
const BUCKETS_MAX: usize = 65_536;

/// Buckets that are looked at for each one that is added: more than one, so that the table shrinks again, and few, because others wait.
const SWEPT: usize = 8;

/// How much is let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Attempts at once.
    pub burst: u32,
    /// Then one more each time this has passed.
    pub refill: Duration,
}

/// Wrong passwords for one account: a person who tries all their usual ones, then one more each half minute, which is 2,900 guesses a day
/// against one in millions. Whoever fails on purpose can keep somebody else out for as long as they go on, from addresses that are not
/// yet throttled themselves; the tokens that person has go on working.
pub const PER_ACCOUNT: Rate = Rate {
    burst: 10,
    refill: Duration::from_secs(30),
};
/// Refreshes of one login: a token lasts a quarter of an hour, so that a device with several windows that each start anew still fits. Each one
/// that is let through is a row until the login is forgotten, so this rate is kept with the login itself and holds for all replicas together.
pub const PER_LOGIN: Rate = Rate {
    burst: 20,
    refill: Duration::from_secs(30),
};
/// The same refresh token again: it works once, so whoever sends it again has not heard our answer, or was told to wait and does not. Kept from
/// the database.
pub const PER_TOKEN: Rate = Rate {
    burst: 3,
    refill: Duration::from_secs(10),
};
/// Failures from one address, and registrations that succeed, each kind for itself: an office behind one address, or one guess at many accounts.
pub const PER_ADDRESS: Rate = Rate {
    burst: 50,
    refill: Duration::from_secs(5),
};

/// Come back after this long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany {
    /// When the next attempt is let through.
    pub retry_after: Duration,
}

/// The attempts at accounts and tokens, and those from addresses.
#[derive(Debug)]
pub struct Throttle {
    accounts: Buckets<Digest>,
    tokens: Buckets<Digest>,
    logins: Buckets<IpAddr>,
    refreshes: Buckets<IpAddr>,
    registrations: Buckets<IpAddr>,
}

impl Default for Throttle {
    fn default() -> Self {
        Self::new(PER_ACCOUNT, PER_ADDRESS)
    }
}

/// What is tried.
#[derive(Debug, Clone, Copy)]
pub enum What<'a> {
    /// A password for this account, where the e-mail can be one.
    Login(Option<&'a Email>),
    /// This refresh token, where it can be one.
    Refresh(Option<TokenHash>),
    /// To register.
    Registration,
}

/// Of fixed size, and no list of e-mails or tokens in memory.
type Digest = [u8; 16];

/// An attempt that was paid.
#[derive(Debug, Clone, Copy)]
#[must_use = "an attempt that succeeded is given back"]
pub struct Attempt {
    paid: Paid,
    address: IpAddr,
}

#[derive(Debug, Clone, Copy)]
enum Paid {
    Login(Option<Digest>),
    Refresh(Option<Digest>),
    Registration,
}

impl Throttle {
    /// With these rates.
    #[must_use]
    pub fn new(per_account: Rate, per_address: Rate) -> Self {
        Self {
            accounts: Buckets::new(per_account),
            tokens: Buckets::new(PER_TOKEN),
            logins: Buckets::new(per_address),
            refreshes: Buckets::new(per_address),
            registrations: Buckets::new(per_address),
        }
    }

    /// Pays for an attempt at `what` from `address`.
    ///
    /// # Errors
    /// [`TooMany`]; then nothing was paid: who asks again too early does not wait longer.
    pub fn enter(&self, what: What<'_>, address: IpAddr, now: Instant) -> Result<Attempt, TooMany> {
        let paid = match what {
            What::Login(email) => Paid::Login(
                email.map(|email| digest(Sha256::digest(email.as_str().as_bytes()).into())),
            ),
            What::Refresh(token) => Paid::Refresh(token.map(|token| digest(token.0))),
            What::Registration => Paid::Registration,
        };
        let attempt = Attempt {
            paid,
            address: address_key(address),
        };
        self.addresses_of(paid).pay(attempt.address, now)?;
        if let Some((buckets, key)) = self.aimed_at(paid)
            && let Err(too_many) = buckets.pay(key, now)
        {
            self.forgive_address(attempt, now);
            return Err(too_many);
        }
        Ok(attempt)
    }

    /// The attempt was no failure.
    pub fn forgive(&self, attempt: Attempt, now: Instant) {
        self.forgive_address(attempt, now);
        if let Some((buckets, key)) = self.aimed_at(attempt.paid) {
            buckets.give_back(key, now);
        }
    }

    /// The attempt says nothing about where it comes from; what it was aimed at stays paid.
    pub fn forgive_address(&self, attempt: Attempt, now: Instant) {
        self.addresses_of(attempt.paid)
            .give_back(attempt.address, now);
    }

    fn addresses_of(&self, paid: Paid) -> &Buckets<IpAddr> {
        match paid {
            Paid::Login(_) => &self.logins,
            Paid::Refresh(_) => &self.refreshes,
            Paid::Registration => &self.registrations,
        }
    }

    fn aimed_at(&self, paid: Paid) -> Option<(&Buckets<Digest>, Digest)> {
        match paid {
            Paid::Login(account) => Some((&self.accounts, account?)),
            Paid::Refresh(token) => Some((&self.tokens, token?)),
            Paid::Registration => None,
        }
    }
}

fn digest(whole: [u8; 32]) -> Digest {
    let mut half = [0; 16];
    half.copy_from_slice(&whole[..16]);
    half
}

/// An IPv6 customer has a whole /64; an IPv4 one may come in IPv6 clothes.
fn address_key(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[derive(Debug)]
struct Buckets<K> {
    rate: Rate,
    table: Mutex<Table<K>>,
}

impl<K: Hash + Eq + Copy> Buckets<K> {
    fn new(rate: Rate) -> Self {
        Self {
            rate,
            table: Mutex::new(Table::default()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table<K>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pay(&self, key: K, now: Instant) -> Result<(), TooMany> {
        let Rate { burst, refill } = self.rate;
        let mut table = self.lock();
        let current = table.full_at(key).map_or(now, |at| at.max(now));
        let next = current + refill;
        let allowed_until = now + refill * burst;
        if next > allowed_until {
            return Err(TooMany {
                retry_after: next - allowed_until,
            });
        }
        table.put(key, next, now);
        Ok(())
    }

    fn give_back(&self, key: K, now: Instant) {
        let mut table = self.lock();
        if let Some(at) = table.full_at(key) {
            match at.checked_sub(self.rate.refill) {
                Some(earlier) if earlier > now => table.put(key, earlier, now),
                _ => table.remove(key),
            }
        }
    }
}

/// When each bucket is full again; one that is full is absent or will be. Whatever is asked of it takes the same short time, however many
/// buckets there are: it is asked under a lock that every login takes.
#[derive(Debug)]
struct Table<K> {
    /// Where in `slots` a key is.
    places: HashMap<K, usize>,
    slots: Vec<(K, Instant)>,
    /// The slot that is looked at next: each has its turn.
    hand: usize,
}

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self {
            places: HashMap::new(),
            slots: Vec::new(),
            hand: 0,
        }
    }
}

impl<K: Hash + Eq + Copy> Table<K> {
    fn full_at(&self, key: K) -> Option<Instant> {
        let place = *self.places.get(&key)?;
        self.slots.get(place).map(|(_, at)| *at)
    }

    fn put(&mut self, key: K, at: Instant, now: Instant) {
        if let Some(slot) = self
            .places
            .get(&key)
            .and_then(|place| self.slots.get_mut(*place))
        {
            slot.1 = at;
            return;
        }
        self.sweep(now);
        self.places.insert(key, self.slots.len());
        self.slots.push((key, at));
    }

    fn remove(&mut self, key: K) {
        let Some(place) = self.places.remove(&key) else {
            return;
        };
        self.slots.swap_remove(place);
        if let Some((moved, _)) = self.slots.get(place) {
            self.places.insert(*moved, place);
        }
    }

    /// Looks at the next [`SWEPT`] buckets and forgets those that are full again; when there is still no room for one more, the fullest of them.
    fn sweep(&mut self, now: Instant) {
        let mut fullest: Option<(K, Instant)> = None;
        for _ in 0..SWEPT.min(self.slots.len()) {
            if self.hand >= self.slots.len() {
                self.hand = 0;
            }
            let Some(&(key, at)) = self.slots.get(self.hand) else {
                break;
            };
            if at <= now {
                // Another one takes its slot and is looked at next.
                self.remove(key);
                continue;
            }
            if fullest.is_none_or(|(_, known)| at < known) {
                fullest = Some((key, at));
            }
            self.hand += 1;
        }
        if self.slots.len() >= BUCKETS_MAX
            && let Some((key, _)) = fullest
        {
            self.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);
    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn throttle(per_account: u32, per_address: u32) -> Throttle {
        let rate = |burst| Rate { burst, refill: S };
        Throttle::new(rate(per_account), rate(per_address))
    }

    fn ann() -> Email {
        Email::parse("ann@example.com").unwrap()
    }

    fn fails(throttle: &Throttle, account: Option<&Email>, address: IpAddr, now: Instant) -> bool {
        let what = What::Login(account);
        throttle.enter(what, address, now).map(drop).is_ok()
    }

    #[test]
    fn an_account_is_closed_after_its_burst_and_opens_again_one_by_one() {
        let (throttle, now) = (throttle(3, 100), Instant::now());
        for _ in 0..3 {
            assert!(fails(&throttle, Some(&ann()), HOME, now));
        }
        let refused = throttle
            .enter(What::Login(Some(&ann())), HOME, now)
            .unwrap_err();
        assert_eq!(refused.retry_after, S);
        assert!(!fails(&throttle, Some(&ann()), HOME, now + S / 2));
        assert!(fails(&throttle, Some(&ann()), HOME, now + S));
        assert!(!fails(&throttle, Some(&ann()), HOME, now + S));
    }

    #[test]
    fn other_accounts_and_addresses_do_not_wait() {
        let (throttle, now) = (throttle(1, 100), Instant::now());
        assert!(fails(&throttle, Some(&ann()), HOME, now));
        assert!(!fails(
            &throttle,
            Some(&ann()),
            "10.0.0.1".parse().unwrap(),
            now
        ));
        let bob = Email::parse("bob@example.com").unwrap();
        assert!(fails(&throttle, Some(&bob), HOME, now));
    }

    #[test]
    fn an_address_is_closed_whatever_accounts_it_tries() {
        let (throttle, now) = (throttle(100, 2), Instant::now());
        for name in ["a@x.y", "b@x.y"] {
            assert!(fails(
                &throttle,
                Some(&Email::parse(name).unwrap()),
                HOME,
                now
            ));
        }
        assert!(!fails(&throttle, Some(&ann()), HOME, now));
        assert!(!fails(&throttle, None, HOME, now));
        assert!(fails(&throttle, None, "10.0.0.1".parse().unwrap(), now));
    }

    #[test]
    fn a_success_costs_nothing_and_a_refusal_does_not_lengthen_the_wait() {
        let (throttle, now) = (throttle(2, 2), Instant::now());
        for _ in 0..1_000 {
            let attempt = throttle
                .enter(What::Login(Some(&ann())), HOME, now)
                .unwrap();
            throttle.forgive(attempt, now);
        }
        assert!(throttle.accounts.lock().slots.is_empty());
        let _ = (
            fails(&throttle, Some(&ann()), HOME, now),
            fails(&throttle, Some(&ann()), HOME, now),
        );
        for _ in 0..1_000 {
            assert_eq!(
                throttle
                    .enter(What::Login(Some(&ann())), HOME, now)
                    .unwrap_err()
                    .retry_after,
                S
            );
        }
    }

    #[test]
    fn nonsense_of_one_kind_closes_no_other_kind_of_its_address() {
        let (throttle, now) = (throttle(9, 2), Instant::now());
        let kinds = [What::Login(None), What::Refresh(None), What::Registration];
        for kind in kinds {
            for _ in 0..2 {
                assert!(
                    throttle.enter(kind, HOME, now).map(drop).is_ok(),
                    "{kind:?}"
                );
            }
            assert!(
                throttle.enter(kind, HOME, now).map(drop).is_err(),
                "{kind:?}"
            );
        }
    }

    #[test]
    fn a_token_that_comes_again_and_again_waits_from_whatever_address() {
        let (throttle, now) = (throttle(9, 1_000), Instant::now());
        let address = |n: u32| IpAddr::from(n.to_be_bytes());
        let token = TokenHash([7; 32]);
        let again = |n| throttle.enter(What::Refresh(Some(token)), address(n), now);
        for n in 0..PER_TOKEN.burst {
            // It was told to wait, which is no failure of the address.
            throttle.forgive_address(again(n).unwrap(), now);
        }
        assert_eq!(again(100).unwrap_err().retry_after, PER_TOKEN.refill);
        let other = What::Refresh(Some(TokenHash([8; 32])));
        assert!(throttle.enter(other, address(0), now).map(drop).is_ok());
        let left = throttle.refreshes.lock().slots.len();
        assert_eq!(left, 1, "only the other token's");
    }

    #[test]
    fn many_at_once_cannot_slip_through_before_the_first_has_failed() {
        let (throttle, now) = (throttle(5, 100), Instant::now());
        let let_in = (0..50)
            .filter(|_| fails(&throttle, Some(&ann()), HOME, now))
            .count();
        assert_eq!(let_in, 5);
    }

    #[test]
    fn an_ipv6_customer_is_a_whole_network_and_ipv4_in_ipv6_is_ipv4() {
        let (throttle, now) = (throttle(9, 1), Instant::now());
        let at = |text: &str| text.parse().unwrap();
        assert!(fails(&throttle, None, at("2001:db8:1:2::1"), now));
        assert!(!fails(&throttle, None, at("2001:db8:1:2:ffff::9"), now));
        assert!(fails(&throttle, None, at("2001:db8:1:3::1"), now));
        assert!(fails(&throttle, None, at("::ffff:10.0.0.1"), now));
        assert!(!fails(&throttle, None, at("10.0.0.1"), now));
    }

    #[test]
    fn memory_is_bounded_and_shrinks_again() {
        let (throttle, now) = (throttle(9, 9), Instant::now());
        let address = |n: usize| IpAddr::from(u32::try_from(n).unwrap().to_be_bytes());
        for n in 0..BUCKETS_MAX + 10 {
            assert!(fails(&throttle, None, address(n), now));
        }
        assert_eq!(throttle.logins.lock().slots.len(), BUCKETS_MAX);
        // Each newcomer finds some that are full again.
        let newcomers = BUCKETS_MAX / (SWEPT - 1) + 1;
        for n in 0..newcomers {
            let later = now + S * (10 + 2 * u32::try_from(n).unwrap());
            assert!(fails(&throttle, None, address(2 * BUCKETS_MAX + n), later));
        }
        let left = throttle.logins.lock().slots.len();
        assert!(left <= SWEPT, "{left}");
    }

    #[test]
    fn when_there_is_no_room_the_fullest_of_a_few_goes() {
        let (throttle, now) = (throttle(9, 9), Instant::now());
        let address = |n: usize| IpAddr::from(u32::try_from(n).unwrap().to_be_bytes());
        for n in 0..BUCKETS_MAX {
            assert!(fails(&throttle, None, address(n), now));
        }
        // Everybody in the next few but one has failed twice.
        let hand = throttle.logins.lock().hand;
        for n in (0..SWEPT).filter(|n| *n != 5) {
            let (key, _) = throttle.logins.lock().slots[(hand + n) % BUCKETS_MAX];
            assert!(fails(&throttle, None, key, now));
        }
        let (once, _) = throttle.logins.lock().slots[(hand + 5) % BUCKETS_MAX];
        assert!(fails(&throttle, None, address(BUCKETS_MAX), now));
        let table = throttle.logins.lock();
        assert_eq!(table.slots.len(), BUCKETS_MAX);
        assert_eq!(table.full_at(once), None);
    }

    #[test]
    fn every_key_is_where_the_table_says() {
        let now = Instant::now();
        let mut table = Table::default();
        for n in 0..100_u32 {
            table.put(n, now + S * (n % 7), now);
            if n % 3 == 0 {
                table.remove(n / 2);
            }
            for (key, place) in &table.places {
                assert_eq!(table.slots[*place].0, *key);
            }
            assert_eq!(table.places.len(), table.slots.len());
        }
    }
}
