//! Ten bugs to plant: the shipped rules stay as they are, the glue of the model bends what they decide.

use crate::properties;

/// A planted bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    /// VoidPayment for a payment that is not known answers VOIDED and keeps no row.
    VoidDoesNotTombstone,
    /// A refused Reserve keeps no row.
    RefusalLeavesNoRow,
    /// A Release that comes first keeps no row.
    ReleaseLeavesNoTombstone,
    /// A transition is written whatever version is stored.
    NoVersionCheck,
    /// Commands leave before the commit, also when it turns out that it cannot be.
    EffectsBeforeCommit,
    /// A capture that is learnt late is noted and not given back.
    LateCaptureNotRefunded,
    /// A release that is not answered is not asked for again.
    CompensationGivesUp,
    /// A refund does not wait for the sale.
    RefundBeforeCommit,
    /// A fact that is known already is applied once more.
    DuplicateReapplied,
    /// An event whose write came too late is acknowledged and dropped.
    StaleEventDropped,
}

impl Bug {
    pub(crate) const ALL: [Self; 10] = [
        Self::VoidDoesNotTombstone,
        Self::RefusalLeavesNoRow,
        Self::ReleaseLeavesNoTombstone,
        Self::NoVersionCheck,
        Self::EffectsBeforeCommit,
        Self::LateCaptureNotRefunded,
        Self::CompensationGivesUp,
        Self::RefundBeforeCommit,
        Self::DuplicateReapplied,
        Self::StaleEventDropped,
    ];

    pub(crate) const fn says(self) -> &'static str {
        match self {
            Self::VoidDoesNotTombstone => "void does not tombstone",
            Self::RefusalLeavesNoRow => "refusal leaves no row",
            Self::ReleaseLeavesNoTombstone => "release leaves no tombstone",
            Self::NoVersionCheck => "no version check",
            Self::EffectsBeforeCommit => "effects before commit",
            Self::LateCaptureNotRefunded => "late capture not refunded",
            Self::CompensationGivesUp => "compensation gives up",
            Self::RefundBeforeCommit => "refund before commit of stock",
            Self::DuplicateReapplied => "duplicate event re-applied",
            Self::StaleEventDropped => "stale writer's event dropped",
        }
    }

    /// The promise that it is to be seen to break; it may break others sooner.
    pub(crate) const fn breaks(self) -> &'static str {
        match self {
            Self::VoidDoesNotTombstone
            | Self::RefusalLeavesNoRow
            | Self::ReleaseLeavesNoTombstone
            | Self::LateCaptureNotRefunded => properties::CANCELLED,
            Self::NoVersionCheck => properties::PROMISES,
            Self::EffectsBeforeCommit => properties::COMMANDS,
            Self::CompensationGivesUp => properties::CAN_END,
            Self::RefundBeforeCommit => properties::REFUNDED,
            Self::DuplicateReapplied => properties::PAID,
            Self::StaleEventDropped => properties::HEARD,
        }
    }

    /// Whether a stale cache does more than ignore an event or read again.
    pub(crate) const fn cares_what_is_stale(self) -> bool {
        match self {
            Self::NoVersionCheck | Self::EffectsBeforeCommit | Self::StaleEventDropped => true,
            Self::VoidDoesNotTombstone
            | Self::RefusalLeavesNoRow
            | Self::ReleaseLeavesNoTombstone
            | Self::LateCaptureNotRefunded
            | Self::CompensationGivesUp
            | Self::RefundBeforeCommit
            | Self::DuplicateReapplied => false,
        }
    }
}
