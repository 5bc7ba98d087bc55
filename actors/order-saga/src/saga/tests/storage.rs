//! The stored form: what is written is read back, and old rows stay readable.

use super::samples::{saga_in, steps};
use crate::saga::{LateMoney, Saga, SagaDetails};

#[test]
fn every_step_survives_storage() {
    for step in steps() {
        let mut saga = saga_in(step);
        saga.missed_deadlines = 3;
        saga.late_money = LateMoney::RefundFailed;
        let text = serde_json::to_string(&saga.details()).unwrap();
        let details: SagaDetails = serde_json::from_str(&text).unwrap();
        let restored = Saga::restore(
            saga.order.clone(),
            saga.version,
            saga.quote.clone(),
            details,
        );
        assert_eq!(restored, saga);
    }
}

#[test]
fn the_stored_form_of_every_step_is_stable() {
    let forms: Vec<String> = steps()
        .into_iter()
        .map(|step| serde_json::to_string(&saga_in(step).details()).unwrap())
        .collect();
    insta::assert_snapshot!(forms.join("\n"));
}

#[test]
fn the_stored_name_is_the_steps_name() {
    for step in steps() {
        let stored = serde_json::to_value(saga_in(step.clone()).details()).unwrap();
        assert_eq!(stored["step"], step.name());
    }
}
