//! `shopctl refund`: money that the provider refused to give back.

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use shopapi_proto::admin::v1::find_payment_request::Key;
use shopapi_proto::admin::v1::{AdminPayment, FindPaymentRequest, InsistRefundRequest};

use super::connect::{Services, answered};
use super::{ActArgs, table};
use crate::ui::{Style, Ui, money};

/// `shopctl refund`
#[derive(Debug, Args)]
pub struct RefundArgs {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    services: Services,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show the payment of an order and how far its refund has come
    Show { order_id: i64 },
    /// Try a refund once more that the provider refused for good
    Insist {
        order_id: i64,
        #[command(flatten)]
        act: ActArgs,
        /// Only when the payment is at this version, as `show` tells; without it the version it has when the command begins
        #[arg(long, value_name = "N")]
        expect_version: Option<i64>,
    },
}

const PAYMENTS: &str = "payments";

pub(super) async fn run(args: &RefundArgs, ui: &Ui) -> Result<()> {
    let mut client = args.services.payments().await?;
    let (Action::Show { order_id } | Action::Insist { order_id, .. }) = args.action;
    let request = FindPaymentRequest {
        key: Some(Key::OrderId(order_id)),
    };
    let found = answered(PAYMENTS, client.find_payment(request).await)?;
    let payment = found.payment.context("payments told no payment")?;
    let Action::Insist {
        act,
        expect_version,
        ..
    } = &args.action
    else {
        if args.json {
            ui.line(json!({ "payment": json(&payment), "acts": table::acts_json(&found.acts) }));
        } else {
            show(&payment, ui);
            table::acts(ui, &found.acts);
        }
        return Ok(());
    };
    let request = InsistRefundRequest {
        payment_id: payment.payment_id,
        expected_version: expect_version.unwrap_or(payment.version),
        act: Some(act.act()),
    };
    let insisted = answered(PAYMENTS, client.insist_refund(request).await)?;
    let payment = insisted.payment.context("payments told no payment")?;
    if args.json {
        ui.line(json(&payment));
    } else {
        ui.line(format!(
            "{} refund attempt {} of order {order_id} is on its way",
            ui.paint(Style::Green, "✓"),
            payment.refund_attempt
        ));
    }
    Ok(())
}

fn show(payment: &AdminPayment, ui: &Ui) {
    table::facts(
        ui,
        &[
            ("order", payment.order_id.to_string()),
            ("payment", payment.payment_id.clone()),
            ("version", payment.version.to_string()),
            ("amount", money(payment.amount_cents, &payment.currency)),
            ("state", payment.state.clone()),
            ("attempts", payment.attempt.to_string()),
            ("refund", payment.refund_state.clone()),
            ("refund attempts", payment.refund_attempt.to_string()),
            ("reason", payment.reason.clone()),
        ],
    );
    if payment.late_capture {
        ui.line("captured after the payment had been closed without money");
    }
}

fn json(payment: &AdminPayment) -> Value {
    json!({
        "payment_id": payment.payment_id, "order_id": payment.order_id, "version": payment.version, "state": payment.state,
        "refund_state": payment.refund_state, "reason": payment.reason, "amount_cents": payment.amount_cents,
        "currency": payment.currency, "attempt": payment.attempt, "refund_attempt": payment.refund_attempt,
        "late_capture": payment.late_capture,
    })
}
