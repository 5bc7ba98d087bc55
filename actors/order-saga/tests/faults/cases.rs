//! One case for each effect: the journeys that must reach it. The list and the match are made from the same rows.

use order_saga::saga::{Call, DurableEffect, VolatileEffect};

/// How an effect goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// It does not happen, or nobody learns that it did.
    Fail,
    /// It happens twice.
    Repeat,
    /// The process ends after the commit that it belongs to.
    Crash,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Fail, Self::Repeat, Self::Crash];
}

/// An effect and who reaches it.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) journeys: &'static [&'static str],
}

macro_rules! cases {
    ($list:ident, $name_of:ident, $effects:ident { $($variant:ident $(($any:tt))? => [$($journey:literal),+],)+ }) => {
        pub(crate) const $list: &[Case] = &[$(Case {
            name: stringify!($variant),
            journeys: &[$($journey),+],
        }),+];

        /// No wildcard: an effect without a case does not compile.
        pub(crate) const fn $name_of(effect: &$effects) -> &'static str {
            match effect {
                $($effects::$variant $(($any))? => stringify!($variant),)+
            }
        }
    };
}

cases! {
    VOLATILE, name_of_volatile, VolatileEffect {
        AskReserve => ["paid", "refused", "stock unreachable", "stock holds and is silent"],
        AskRelease => ["declined", "cancelled while pending", "charge beats the cancel", "release unreachable"],
        AskCommit => ["paid", "refund before the sale is confirmed", "charge found after the time-out"],
        RequestPayment => ["payment times out", "charge found after the time-out"],
        VoidPayment => ["cancelled while awaiting payment", "payment times out", "charge beats the cancel"],
        RefundPayment => ["charge beats the cancel", "refund of a sale", "refund refused for good"],
        Alert => ["refund refused for good", "release unreachable"],
    }
}

cases! {
    DURABLE, name_of_durable, DurableEffect {
        Timeline(_) => ["paid", "declined", "refused", "cancelled while pending"],
        Quote(_) => ["paid", "declined"],
        Publish(_) => ["paid", "declined", "refused", "cancelled while pending", "refund of a sale"],
        Wake(_) => ["paid", "declined", "refused", "payment times out"],
    }
}

/// The question that an effect asks.
pub(crate) const fn call_of(effect: VolatileEffect) -> Option<Call> {
    match effect {
        VolatileEffect::AskReserve => Some(Call::Reserve),
        VolatileEffect::AskRelease => Some(Call::Release),
        VolatileEffect::AskCommit => Some(Call::Commit),
        VolatileEffect::RequestPayment => Some(Call::Request),
        VolatileEffect::VoidPayment => Some(Call::Void),
        VolatileEffect::RefundPayment => Some(Call::Refund),
        VolatileEffect::Alert => None,
    }
}
