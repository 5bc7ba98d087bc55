//! Who may call what. Deny by default: a method without a row has no caller.

/// Everybody with a certificate of ours; probes and tools look before they have a token.
pub(crate) const OPEN_SERVICES: [&str; 2] = [
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
];

/// The callers of one method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// As in the path of a call: `package.Service/Method`.
    pub method: &'static str,
    /// Services, by the names in their certificates.
    pub callers: &'static [&'static str],
}

const fn row(method: &'static str, callers: &'static [&'static str]) -> Row {
    Row { method, callers }
}

const GATEWAY: &[&str] = &["gateway"];
const ORDERS: &[&str] = &["orders"];
const READERS_OF_THE_CATALOGUE: &[&str] = &["gateway", "orders"];
const OPERATORS: &[&str] = &["shopctl"];

/// Every method of every contract.
pub const TABLE: &[Row] = &[
    row("shopapi.orders.v1.OrdersService/CreateOrder", GATEWAY),
    row("shopapi.orders.v1.OrdersService/GetOrder", GATEWAY),
    row("shopapi.orders.v1.OrdersService/ListOrders", GATEWAY),
    row("shopapi.orders.v1.OrdersService/GetTimeline", GATEWAY),
    row("shopapi.orders.v1.OrdersService/CancelOrder", GATEWAY),
    row("shopapi.orders.v1.OrdersService/RefundOrder", GATEWAY),
    row("shopapi.orders.v1.OrdersService/WatchOrder", GATEWAY),
    row("shopapi.inventory.v1.InventoryService/Reserve", ORDERS),
    row("shopapi.inventory.v1.InventoryService/Release", ORDERS),
    row("shopapi.inventory.v1.InventoryService/Commit", ORDERS),
    row(
        "shopapi.inventory.v1.CatalogService/ListProducts",
        READERS_OF_THE_CATALOGUE,
    ),
    row(
        "shopapi.inventory.v1.CatalogService/GetProduct",
        READERS_OF_THE_CATALOGUE,
    ),
    row("shopapi.payments.v1.PaymentsService/RequestPayment", ORDERS),
    row("shopapi.payments.v1.PaymentsService/GetPayment", ORDERS),
    row("shopapi.payments.v1.PaymentsService/VoidPayment", ORDERS),
    row("shopapi.payments.v1.PaymentsService/RefundPayment", ORDERS),
    row("shopapi.admin.v1.OrdersAdmin/ListSagas", OPERATORS),
    row("shopapi.admin.v1.OrdersAdmin/GetSaga", OPERATORS),
    row("shopapi.admin.v1.OrdersAdmin/RetrySaga", OPERATORS),
    row("shopapi.admin.v1.OrdersAdmin/CompensateSaga", OPERATORS),
    row("shopapi.admin.v1.OrdersAdmin/ResolveSaga", OPERATORS),
    row("shopapi.admin.v1.OrdersAdmin/ListDeadLetters", OPERATORS),
    row("shopapi.admin.v1.OrdersAdmin/GetDeadLetter", OPERATORS),
    row("shopapi.admin.v1.OrdersAdmin/ReplayDeadLetter", OPERATORS),
    row("shopapi.admin.v1.OrdersAdmin/DiscardDeadLetter", OPERATORS),
    row("shopapi.admin.v1.OrdersAdmin/OutboxStatus", OPERATORS),
    row("shopapi.admin.v1.OrdersAdmin/ReplayOutbox", OPERATORS),
    row("shopapi.admin.v1.PaymentsAdmin/FindPayment", OPERATORS),
    row("shopapi.admin.v1.PaymentsAdmin/InsistRefund", OPERATORS),
    row(
        "shopapi.admin.v1.PaymentsAdmin/SettleOpenAttempts",
        OPERATORS,
    ),
    row("shopapi.admin.v1.PaymentsAdmin/ListDeadLetters", OPERATORS),
    row("shopapi.admin.v1.PaymentsAdmin/GetDeadLetter", OPERATORS),
    row("shopapi.admin.v1.PaymentsAdmin/ReplayDeadLetter", OPERATORS),
    row(
        "shopapi.admin.v1.PaymentsAdmin/DiscardDeadLetter",
        OPERATORS,
    ),
    row("shopapi.admin.v1.PaymentsAdmin/OutboxStatus", OPERATORS),
    row("shopapi.admin.v1.PaymentsAdmin/ReplayOutbox", OPERATORS),
    row("shopapi.admin.v1.TreeService/GetTree", OPERATORS),
];

/// What a path asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// A certificate of ours.
    Certificate,
    /// A certificate and a token of one of these.
    Token(&'static [&'static str]),
    /// Nobody may.
    Nobody,
}

/// What the path of a call asks: `/package.Service/Method`.
pub(crate) fn access(path: &str) -> Access {
    let Some(method) = path.strip_prefix('/') else {
        return Access::Nobody;
    };
    let is_open = method
        .split_once('/')
        .is_some_and(|(service, _)| OPEN_SERVICES.contains(&service));
    if is_open {
        return Access::Certificate;
    }
    // Some forty rows are compared faster than a path is hashed.
    TABLE
        .iter()
        .find(|row| row.method == method)
        .map_or(Access::Nobody, |row| Access::Token(row.callers))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use prost::Message as _;
    use prost_types::FileDescriptorSet;

    use super::*;

    /// `package.Service/Method` of every contract.
    fn methods() -> BTreeSet<String> {
        let set = FileDescriptorSet::decode(shopapi_proto::DESCRIPTORS).unwrap();
        let mut methods = BTreeSet::new();
        for file in &set.file {
            for service in &file.service {
                for method in &service.method {
                    methods.insert(format!(
                        "{}.{}/{}",
                        file.package(),
                        service.name(),
                        method.name()
                    ));
                }
            }
        }
        methods
    }

    #[test]
    fn every_method_has_one_row_and_every_row_a_method() {
        let rows: Vec<String> = TABLE.iter().map(|row| row.method.to_owned()).collect();
        let unique: BTreeSet<String> = rows.iter().cloned().collect();
        assert_eq!(unique.len(), rows.len(), "a method has two rows");
        assert_eq!(unique, methods());
    }

    #[test]
    fn who_calls_whom_is_what_was_decided() {
        for row in TABLE {
            let (service, _) = row.method.split_once('/').unwrap();
            let callers: &[&str] = match service {
                "shopapi.orders.v1.OrdersService" => &["gateway"],
                "shopapi.inventory.v1.InventoryService" | "shopapi.payments.v1.PaymentsService" => {
                    &["orders"]
                }
                "shopapi.inventory.v1.CatalogService" => &["gateway", "orders"],
                admin if admin.starts_with("shopapi.admin.v1.") => &["shopctl"],
                other => panic!("{other} is not in the decision"),
            };
            assert_eq!(row.callers, callers, "{}", row.method);
        }
    }

    #[test]
    fn what_has_no_row_has_no_caller() {
        let known = "/shopapi.payments.v1.PaymentsService/VoidPayment";
        assert_eq!(access(known), Access::Token(ORDERS));
        assert_eq!(access("/grpc.health.v1.Health/Check"), Access::Certificate);
        for unknown in [
            "",
            "/",
            "shopapi.payments.v1.PaymentsService/VoidPayment",
            "//shopapi.payments.v1.PaymentsService/VoidPayment",
            "/shopapi.payments.v1.PaymentsService/VoidPayment/",
            "/shopapi.payments.v1.PaymentsService/voidpayment",
            "/shopapi.payments.v1.PaymentsService/Void%50ayment",
            "/shopapi.payments.v1.PaymentsService/GiveAway",
            "/grpc.health.v1.HealthX/Check",
        ] {
            assert_eq!(access(unknown), Access::Nobody, "{unknown:?}");
        }
    }
}
