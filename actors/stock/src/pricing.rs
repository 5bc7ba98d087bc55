//! Whether lines can be had, and for how much.

use crate::rules::Stock;
use crate::types::{
    Cents, Hold, LINES_MAX, PricedLine, QUANTITY_MAX, Refusal, RequestedLine, Shortage, Sku,
};

/// Prices the lines and checks that stock covers them; the refusal is the first that applies, in [`Refusal`]'s order.
pub(crate) fn grant(stock: &Stock, requested: &[RequestedLine]) -> Result<Hold, Refusal> {
    let wanted = valid_lines(requested).ok_or(Refusal::InvalidLines)?;
    let mut rows = Vec::with_capacity(wanted.len());
    let mut unknown = Vec::new();
    for (sku, quantity) in wanted {
        match stock.get(&sku) {
            Some(row) => rows.push((sku, quantity, row)),
            None => unknown.push(Shortage {
                sku,
                requested: quantity,
                available: 0,
            }),
        }
    }
    if !unknown.is_empty() {
        return Err(Refusal::UnknownSku(unknown));
    }
    let currency = rows.first().ok_or(Refusal::InvalidLines)?.2.currency;
    if rows.iter().any(|(_, _, row)| row.currency != currency) {
        return Err(Refusal::MixedCurrency);
    }
    let total = rows
        .iter()
        .try_fold(0_i64, |sum, (_, quantity, row)| {
            sum.checked_add(row.unit_price.0.checked_mul(*quantity)?)
        })
        .filter(|total| *total > 0)
        .ok_or(Refusal::TotalOutOfRange)?;
    let short: Vec<Shortage> = rows
        .iter()
        .filter(|(_, quantity, row)| row.available() < *quantity)
        .map(|(sku, quantity, row)| Shortage {
            sku: sku.clone(),
            requested: *quantity,
            available: row.available(),
        })
        .collect();
    if !short.is_empty() {
        return Err(Refusal::OutOfStock(short));
    }
    let lines = rows
        .into_iter()
        .map(|(sku, quantity, row)| PricedLine {
            sku,
            quantity,
            unit_price: row.unit_price,
        })
        .collect();
    Ok(Hold {
        lines,
        total: Cents(total),
        currency,
    })
}

/// The lines as valid SKUs and quantities, or `None` when any of them cannot be one or two name the same SKU.
pub(crate) fn valid_lines(requested: &[RequestedLine]) -> Option<Vec<(Sku, i64)>> {
    if requested.is_empty() || requested.len() > LINES_MAX {
        return None;
    }
    let mut lines = Vec::with_capacity(requested.len());
    for line in requested {
        if !(1..=QUANTITY_MAX).contains(&line.quantity) {
            return None;
        }
        lines.push((Sku::new(&line.sku)?, line.quantity));
    }
    let mut skus: Vec<&Sku> = lines.iter().map(|(sku, _)| sku).collect();
    skus.sort_unstable();
    if skus.windows(2).any(|pair| pair[0] == pair[1]) {
        return None;
    }
    Some(lines)
}
