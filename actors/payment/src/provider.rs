//! The port to whoever moves the money.

use std::future::Future;

use uuid::Uuid;

use crate::event::{AttemptOutcome, Found, RefundOutcome};
use crate::payment::{Cents, OrderId, PaymentId, PaymentMethod, PaymentRequest};

/// One charge. The payment's id is the idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChargeCall {
    /// The idempotency key.
    pub payment_id: PaymentId,
    /// For the provider's statement.
    pub order_id: OrderId,
    /// How much.
    pub amount: Cents,
    /// In what.
    pub currency: String,
    /// How.
    pub payment_method: PaymentMethod,
}

impl From<&PaymentRequest> for ChargeCall {
    fn from(request: &PaymentRequest) -> Self {
        Self {
            payment_id: request.payment_id,
            order_id: request.order_id,
            amount: request.amount,
            currency: request.currency.clone(),
            payment_method: request.payment_method.clone(),
        }
    }
}

/// One refund of a whole charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundCall {
    /// The idempotency key.
    pub refund_id: Uuid,
    /// The charge that is given back.
    pub payment_id: PaymentId,
    /// How much.
    pub amount: Cents,
    /// In what.
    pub currency: String,
}

/// The provider did not answer a question; it is asked again later.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the payment provider cannot be asked: {0}")]
pub struct ProviderUnavailable(pub String);

/// A payment provider. Every call is bounded in time by the caller and may be repeated with the same key: the provider replays the
/// definite answer it gave before, and refuses the same key with other parameters.
pub trait PaymentProvider: Clone + Send + Sync + 'static {
    /// Charges. [`AttemptOutcome::NotCharged`] is said only when it is certain that nothing was and nothing will be charged by this call;
    /// everything that is not certain is [`AttemptOutcome::Unknown`].
    fn charge(&self, call: ChargeCall) -> impl Future<Output = AttemptOutcome> + Send;

    /// Tells what the provider's books say about a charge.
    ///
    /// # Errors
    /// [`ProviderUnavailable`]: says nothing about the charge.
    fn look_up(
        &self,
        payment_id: PaymentId,
    ) -> impl Future<Output = Result<Found, ProviderUnavailable>> + Send;

    /// Gives a charge back.
    fn refund(&self, call: RefundCall) -> impl Future<Output = RefundOutcome> + Send;
}
