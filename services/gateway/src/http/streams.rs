//! Places for event streams: so many in all, and so many for each customer, or one of them could take every place.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shopapi_auth::CustomerId;

/// The places. Cloning shares them.
#[derive(Clone)]
pub(crate) struct Streams(Arc<Shared>);

struct Shared {
    all_max: usize,
    customer_max: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    /// Only those who have one.
    customers: HashMap<CustomerId, usize>,
}

/// A place, taken until it is dropped.
pub(crate) struct Place {
    shared: Arc<Shared>,
    customer: CustomerId,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoPlace {
    /// Everybody together has all of them.
    Full,
    /// This customer has theirs.
    Enough,
}

impl Streams {
    pub(crate) fn new(all_max: usize, customer_max: usize) -> Self {
        Self(Arc::new(Shared {
            all_max,
            customer_max,
            taken: Mutex::default(),
        }))
    }

    /// A place for this customer.
    ///
    /// # Errors
    /// [`NoPlace`].
    pub(crate) fn enter(&self, customer: CustomerId) -> Result<Place, NoPlace> {
        let mut taken = self.0.lock();
        let own = taken.customers.get(&customer).copied().unwrap_or(0);
        if own >= self.0.customer_max {
            return Err(NoPlace::Enough);
        }
        if taken.all >= self.0.all_max {
            return Err(NoPlace::Full);
        }
        taken.all += 1;
        taken.customers.insert(customer, own + 1);
        Ok(Place {
            shared: Arc::clone(&self.0),
            customer,
        })
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.shared.lock();
        taken.all = taken.all.saturating_sub(1);
        if let Some(own) = taken.customers.get_mut(&self.customer) {
            *own -= 1;
            if *own == 0 {
                taken.customers.remove(&self.customer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn customer(n: u128) -> CustomerId {
        CustomerId(Uuid::from_u128(n))
    }

    #[test]
    fn a_customer_has_so_many_and_another_one_still_finds_a_place() {
        let streams = Streams::new(3, 2);
        let (ann, bob) = (customer(1), customer(2));
        let first = streams.enter(ann).ok();
        let _second = streams.enter(ann).ok().unwrap();
        assert_eq!(streams.enter(ann).err(), Some(NoPlace::Enough));
        let _bobs = streams.enter(bob).ok().unwrap();
        assert_eq!(streams.enter(bob).err(), Some(NoPlace::Full));

        drop(first);
        assert!(streams.enter(bob).is_ok());
        assert!(streams.enter(ann).is_ok());
    }

    #[test]
    fn who_has_left_is_forgotten() {
        let streams = Streams::new(3, 2);
        drop(streams.enter(customer(1)).ok().unwrap());
        let taken = streams.0.lock();
        assert_eq!((taken.all, taken.customers.len()), (0, 0));
    }
}
