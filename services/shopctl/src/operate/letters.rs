//! `shopctl dead-letter`: events that a service gave up.

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use prost::Message;
use serde_json::{Value, json};
use shopapi_proto::admin::v1::{
    DeadLetter, DiscardDeadLetterRequest, GetDeadLetterRequest, GetDeadLetterResponse,
    ListDeadLettersRequest, ReplayDeadLetterRequest,
};
use shopapi_proto::events::v1 as events;
use shopapi_proto::subjects;

use super::connect::{Refused, Services, answered};
use super::outbox::Service;
use super::{ActArgs, table};
use crate::ui::{Style, Ui};

/// `shopctl dead-letter`
#[derive(Debug, Args)]
pub struct LetterArgs {
    #[command(subcommand)]
    action: Action,
    /// Only of this service; without it both are asked
    #[arg(long, global = true)]
    service: Option<Service>,
    #[command(flatten)]
    services: Services,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the letters that wait for somebody, the newest first
    List {
        /// Also those that were replayed or discarded
        #[arg(long)]
        all: bool,
        /// At most so many of each service
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i32).range(1..=1000))]
        limit: i32,
    },
    /// Show one letter with its event
    Show { letter_id: String },
    /// Publish its event again, when what was wrong is repaired
    Replay {
        letter_id: String,
        #[command(flatten)]
        act: ActArgs,
    },
    /// Nobody will handle its event
    Discard {
        letter_id: String,
        #[command(flatten)]
        act: ActArgs,
    },
}

pub(super) async fn run(args: &LetterArgs, ui: &Ui) -> Result<()> {
    let (letter_id, act) = match &args.action {
        Action::List { all, limit } => return list(args, *all, *limit, ui).await,
        Action::Show { letter_id } => {
            let (service, found) = find(args, letter_id).await?;
            show(service, &found, args.json, ui);
            return Ok(());
        }
        Action::Replay { letter_id, act } | Action::Discard { letter_id, act } => (letter_id, act),
    };
    let (service, _) = find(args, letter_id).await?;
    let (letter_id, act) = (letter_id.clone(), Some(act.act()));
    let (letter, done) = if matches!(args.action, Action::Replay { .. }) {
        let request = ReplayDeadLetterRequest { letter_id, act };
        let name = service.name();
        let answer = match service {
            Service::Orders => {
                let mut client = args.services.orders().await?;
                answered(name, client.replay_dead_letter(request).await)?
            }
            Service::Payments => {
                let mut client = args.services.payments().await?;
                answered(name, client.replay_dead_letter(request).await)?
            }
        };
        (answer.letter, "is published again")
    } else {
        let request = DiscardDeadLetterRequest { letter_id, act };
        let name = service.name();
        let answer = match service {
            Service::Orders => {
                let mut client = args.services.orders().await?;
                answered(name, client.discard_dead_letter(request).await)?
            }
            Service::Payments => {
                let mut client = args.services.payments().await?;
                answered(name, client.discard_dead_letter(request).await)?
            }
        };
        (answer.letter, "is discarded")
    };
    let letter = letter.context("no letter was told")?;
    if args.json {
        ui.line(json(service, &letter));
    } else {
        let tick = ui.paint(Style::Green, "✓");
        ui.line(format!("{tick} letter {} {done}", letter.letter_id));
    }
    Ok(())
}

/// Which service has the letter.
async fn find(args: &LetterArgs, letter_id: &str) -> Result<(Service, GetDeadLetterResponse)> {
    let mut missing = None;
    for service in Service::asked(args.service) {
        let request = GetDeadLetterRequest {
            letter_id: letter_id.to_owned(),
        };
        let answer = match service {
            Service::Orders => args.services.orders().await?.get_dead_letter(request).await,
            Service::Payments => {
                let mut client = args.services.payments().await?;
                client.get_dead_letter(request).await
            }
        };
        match answered(service.name(), answer) {
            Ok(found) => return Ok((service, found)),
            Err(error)
                if error
                    .downcast_ref::<Refused>()
                    .is_some_and(|refused| refused.is_missing) =>
            {
                missing = Some(error);
            }
            Err(error) => return Err(error),
        }
    }
    Err(missing.unwrap_or_else(|| anyhow::anyhow!("no service was asked")))
}

async fn list(args: &LetterArgs, all: bool, limit: i32, ui: &Ui) -> Result<()> {
    let mut found = Vec::new();
    let mut more = false;
    for service in Service::asked(args.service) {
        let request = ListDeadLettersRequest { all, limit };
        let answer = match service {
            Service::Orders => {
                args.services
                    .orders()
                    .await?
                    .list_dead_letters(request)
                    .await
            }
            Service::Payments => {
                let mut client = args.services.payments().await?;
                client.list_dead_letters(request).await
            }
        };
        let page = answered(service.name(), answer)?;
        more |= page.more;
        found.extend(page.letters.into_iter().map(|letter| (service, letter)));
    }
    if args.json {
        let letters: Vec<Value> = found
            .iter()
            .map(|(service, letter)| json(*service, letter))
            .collect();
        ui.line(json!({ "letters": letters, "more": more }));
        return Ok(());
    }
    if found.is_empty() {
        ui.line("no dead letters");
        return Ok(());
    }
    let rows: Vec<[String; 6]> = found
        .iter()
        .map(|(service, letter)| {
            [
                letter.letter_id.clone(),
                service.name().to_owned(),
                letter.subject.clone(),
                table::age(letter.created_at.as_ref()),
                state(letter).to_owned(),
                format!("{}: {}", letter.reason, letter.detail),
            ]
        })
        .collect();
    table::print(
        ui,
        ["LETTER", "SERVICE", "SUBJECT", "AGE", "STATE", "WHY"],
        &rows,
    );
    if more {
        ui.line(ui.paint(Style::Dim, "… and more; raise --limit"));
    }
    Ok(())
}

fn state(letter: &DeadLetter) -> &'static str {
    match (&letter.discarded_at, &letter.replayed_at) {
        (Some(_), _) => "discarded",
        (None, Some(_)) => "replayed",
        (None, None) => "open",
    }
}

fn show(service: Service, found: &GetDeadLetterResponse, as_json: bool, ui: &Ui) {
    let letter = found.letter.clone().unwrap_or_default();
    let event = readable(&letter.subject, &found.payload);
    if as_json {
        ui.line(json!({ "letter": json(service, &letter), "event": event, "acts": table::acts_json(&found.acts) }));
        return;
    }
    let number = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
    table::facts(
        ui,
        &[
            ("letter", letter.letter_id.clone()),
            ("state", state(&letter).to_owned()),
            (
                "given up by",
                format!(
                    "{}, consumer {} of {}",
                    service.name(),
                    letter.consumer,
                    letter.stream
                ),
            ),
            ("at", table::time(letter.created_at.as_ref())),
            ("why", format!("{}: {}", letter.reason, letter.detail)),
            ("delivered", format!("{} times", letter.delivered)),
            ("subject", letter.subject.clone()),
            ("event", letter.event_id.clone().unwrap_or_default()),
            ("schema", number(letter.schema_version.map(i64::from))),
            ("sequence", number(letter.aggregate_seq)),
            ("replayed", table::time(letter.replayed_at.as_ref())),
            ("discarded", table::time(letter.discarded_at.as_ref())),
            ("payload", format!("{} bytes", letter.payload_bytes)),
        ],
    );
    ui.line(event);
    table::acts(ui, &found.acts);
}

fn json(service: Service, letter: &DeadLetter) -> Value {
    json!({
        "letter_id": letter.letter_id, "service": service.name(), "state": state(letter), "stream": letter.stream,
        "consumer": letter.consumer, "subject": letter.subject, "event_id": letter.event_id,
        "schema_version": letter.schema_version, "aggregate_seq": letter.aggregate_seq, "reason": letter.reason,
        "detail": letter.detail, "delivered": letter.delivered, "payload_bytes": letter.payload_bytes,
        "created_at": table::time(letter.created_at.as_ref()), "replayed_at": table::time(letter.replayed_at.as_ref()),
        "discarded_at": table::time(letter.discarded_at.as_ref()), "discarded_by": letter.discarded_by,
    })
}

/// The event in words; a customer's payment method is nobody's business here.
fn readable(subject: &str, payload: &[u8]) -> String {
    fn text<T: Message + Default + std::fmt::Debug>(
        payload: &[u8],
        tidy: impl FnOnce(&mut T),
    ) -> String {
        match T::decode(payload) {
            Ok(mut event) => {
                tidy(&mut event);
                format!("{event:#?}")
            }
            Err(_) => "its payload cannot be read".to_owned(),
        }
    }
    match subject {
        subjects::ORDERS_CREATED => text(payload, |event: &mut events::OrderCreated| {
            event.payment_method = "(hidden)".to_owned();
        }),
        subjects::ORDERS_PAID => text(payload, |_: &mut events::OrderPaid| ()),
        subjects::ORDERS_REJECTED => text(payload, |_: &mut events::OrderRejected| ()),
        subjects::ORDERS_CANCELLED => text(payload, |_: &mut events::OrderCancelled| ()),
        subjects::ORDERS_REFUNDED => text(payload, |_: &mut events::OrderRefunded| ()),
        subjects::PAYMENTS_SUCCEEDED => text(payload, |_: &mut events::PaymentSucceeded| ()),
        subjects::PAYMENTS_FAILED => text(payload, |_: &mut events::PaymentFailed| ()),
        subjects::PAYMENTS_REFUNDED => text(payload, |_: &mut events::PaymentRefunded| ()),
        subjects::PAYMENTS_REFUND_FAILED => text(payload, |_: &mut events::PaymentRefundFailed| ()),
        _ => "its subject is unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_shown_without_its_payment_method() {
        let event = events::OrderCreated {
            order_id: 7,
            payment_method: "tok_secret".to_owned(),
            ..events::OrderCreated::default()
        };
        let text = readable(subjects::ORDERS_CREATED, &event.encode_to_vec());
        assert!(
            text.contains("order_id: 7") && !text.contains("tok_secret"),
            "{text}"
        );
        let garbage = readable(subjects::ORDERS_CREATED, b"\xff\xff");
        assert_eq!(garbage, "its payload cannot be read");
    }
}
