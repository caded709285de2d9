//! Service Station.

use super::{
    AMOUNT, ORDER_ID, PRODUCT, PRODUCT_ID, PRODUCT_NAME, QTY, SALE_ID, STATION, SYSTEM, WITHIN, invalid, product_key,
    qty,
};
use crate::{
    Key, System,
    http::{
        Call, Change, EntitySource, Field, Fields, Finder, Item, Problem, Procedure, Resource, Said, Segment,
        ViewSource, ask, by_number, by_stream, command, perform, procedure, said, shown,
    },
    station::{
        Account, AccountContents, CloseAccount, ConfirmReceipt, Field as Value, FlowEntry, Milli, OpenAccount,
        ProductMaster, RecordFlow, RewriteAccount, SalesSummary, Stock, StockFlow, optional, quantity,
    },
};

/// Procedures only: `confirmStock`.
pub(super) fn stocks(system: &System) -> Resource {
    let confirm = procedure(
        system.entities::<StockFlow>(),
        WITHIN,
        // an order that cannot be has no receipt, as one that was not shipped
        |call| Ok(FlowEntry::key_of_receipt(call.fields.id("orderId").unwrap_or(0))),
        |fields| Ok(ConfirmReceipt { qty: fields.has("qty").then(|| maybe_qty(fields)).transpose()?.flatten() }),
        |_| Said::yes(),
    );
    Resource::without_items(SYSTEM, "stocks").service(STATION).procedure(Procedure::post(
        "confirmStock",
        vec![ORDER_ID.required(), QTY],
        confirm,
    ))
}

fn maybe_qty(fields: &Fields) -> Result<Option<Milli>, Problem> {
    fields.double("qty").map(|number| quantity(Value::Qty, Some(number))).transpose().map_err(invalid)
}

const REASON: Field = Field::text("reason");

pub(super) fn stock_flows(system: &System) -> Resource {
    let entities = system.entities::<StockFlow>();
    let source = EntitySource::new(entities.clone(), system.list::<StockFlow>(), |flow, number| {
        flow.item(number).as_ref().map(shown)
    });
    let receipt = source.by_id(|order| order.as_u64().map(FlowEntry::key_of_receipt));
    let record = perform(move |call| {
        let entities = entities.clone();
        async move {
            let entry = entry(&call)?;
            let id = match entry.sale_id {
                Some(sale) => FlowEntry::key_of_sale(sale, 1),
                None => by_stream(&call)?,
            };
            said(ask(&entities, &call, &id, RecordFlow { entry }, WITHIN).await, |answered| {
                Said::yes().made(answered.number.get())
            })
        }
    });
    let fields = vec![PRODUCT_ID, PRODUCT_NAME, QTY, Field::double("qtyToBe"), REASON, ORDER_ID, SALE_ID];
    let taken = vec![PRODUCT_ID.required(), PRODUCT_NAME, QTY.required(), REASON, SALE_ID];
    Resource::new(SYSTEM, "stockFlows", "stockFlow", Field::long("stockId"), fields, source)
        .service(STATION)
        .finder(Finder::one("findByOrderId", Field::long("order_id"), receipt).also_spelled(&["orderId"]))
        .procedure(Procedure::post("", taken, record))
}

/// The row that POS or a clerk writes. What is expected, and of which order, is not for them to say.
fn entry(call: &Call) -> Result<FlowEntry, Problem> {
    let fields = &call.fields;
    let (product_id, qty) = (product_key(fields)?.to_string(), qty(fields)?);
    let product_name = optional(Value::ProductName, fields.text("productName")).map_err(invalid)?;
    let reason = optional(Value::Reason, fields.text("reason")).map_err(invalid)?;
    let row = FlowEntry::correction(product_id, product_name, qty, reason);
    Ok(match fields.id("saleId") {
        Some(sale) => row.of_sale(sale),
        None => row,
    })
}

pub(super) fn stock_summaries(system: &System) -> Resource {
    let source = EntitySource::new(system.entities::<Stock>(), system.list::<Stock>(), |stock, number| {
        stock.item(number).as_ref().map(shown)
    });
    Resource::new(SYSTEM, "stockSummaries", "stockSummary", PRODUCT_ID, vec![PRODUCT_NAME, QTY], source)
        .service(STATION)
        .unpaged()
}

pub(super) fn product_masters(system: &System) -> Resource {
    let source =
        EntitySource::new(system.entities::<ProductMaster>(), system.list::<ProductMaster>(), |master, number| {
            master.item(number).as_ref().map(shown)
        });
    Resource::new(SYSTEM, "productMasters", "productMaster", PRODUCT_ID, PRODUCT.to_vec(), source).service(STATION)
}

pub(super) fn accounts(system: &System) -> Resource {
    let entities = system.entities::<Account>();
    let source = EntitySource::new(entities.clone(), system.list::<Account>(), |account, number| {
        account.item(number).as_ref().map(shown)
    });
    let name = |fields: &Fields| optional(Value::AccountName, fields.text("accountName")).map_err(invalid);
    let amount = |fields: &Fields| {
        let amount = fields.double("amount").map(|number| quantity(Value::Amount, Some(number)));
        amount.transpose().map_err(invalid)
    };
    let open = move |fields: &Fields| {
        Ok(OpenAccount { contents: AccountContents { account_name: name(fields)?, amount: amount(fields)? } })
    };
    let rewrite = move |fields: &Fields| {
        let account_name = fields.has("accountName").then(|| name(fields)).transpose()?;
        Ok(RewriteAccount { account_name, amount: fields.has("amount").then(|| amount(fields)).transpose()? })
    };
    let fields = vec![Field::text("accountName"), AMOUNT];
    Resource::new(SYSTEM, "accounts", "account", Field::long("accountId"), fields, source)
        .service(STATION)
        .create(command(entities.clone(), WITHIN, Change::Created, by_stream, open))
        .replace(command(entities.clone(), WITHIN, Change::Changed, by_number, rewrite))
        .merge(command(entities.clone(), WITHIN, Change::Changed, by_number, rewrite))
        .remove(command(entities, WITHIN, Change::Removed, by_number, |_: &Fields| Ok(CloseAccount)))
}

pub(super) fn sales_summaries(system: &System) -> Resource {
    let row = |product: &Key, row: &SalesSummary| Item {
        key: product.as_str().into(),
        sequence: None,
        fields: shown(&row.item(product)),
    };
    let source = ViewSource::new(system.views::<SalesSummary>(), Key::of_segment, row);
    let fields = vec![PRODUCT_NAME, QTY, AMOUNT];
    Resource::new(SYSTEM, "salesSummaries", "salesSummary", PRODUCT_ID, fields, source).service(STATION).unpaged()
}
