//! Service Station.

use super::{AMOUNT, ORDER_ID, PRODUCT, PRODUCT_ID, PRODUCT_NAME, QTY, SALE_ID, STATION, SYSTEM, product_key, qty};
use crate::{
    System,
    http::{
        Call, Commands, EntitySource, Field, Fields, Finder, Problem, Procedure, Resource, Said, ViewSource, by_stream,
    },
    station::{
        Account, AccountContents, CloseAccount, ConfirmReceipt, Field as Value, FlowEntry, InvalidValue, Milli,
        OpenAccount, ProductMaster, RecordFlow, RewriteAccount, SalesSummary, Stock, StockFlow, optional, quantity,
    },
};

/// Procedures only: `confirmStock`.
pub(super) fn stocks(system: &System) -> Resource {
    let confirm = Commands::<StockFlow>::of(system).procedure(
        // an order that cannot be has no receipt, as one that was not shipped
        |call| Ok(FlowEntry::key_of_receipt(call.fields.id("orderId").unwrap_or(0))),
        |fields| Ok(ConfirmReceipt { qty: maybe(Value::Qty, fields.double("qty"))? }),
        |_| Said::yes(),
    );
    let parameters = vec![ORDER_ID.required(), QTY];
    Resource::without_items(SYSTEM, "stocks").service(STATION).commanded_by(&["clerk"]).procedure(Procedure::post(
        "confirmStock",
        parameters,
        confirm,
    ))
}

/// A quantity that need not be given.
fn maybe(value: Value, number: Option<f64>) -> Result<Option<Milli>, InvalidValue> {
    number.map(|number| quantity(value, Some(number))).transpose()
}

const REASON: Field = Field::text("reason");

pub(super) fn stock_flows(system: &System) -> Resource {
    let source = EntitySource::of(system, StockFlow::item);
    let receipt = source.by_id(|order| order.as_u64().map(FlowEntry::key_of_receipt));
    let record = Commands::<StockFlow>::of(system).prepared_procedure(
        |call| async move {
            let entry = entry(&call)?;
            let id = match entry.sale_id {
                Some(sale) => FlowEntry::key_of_sale(sale, 1),
                None => by_stream(&call)?,
            };
            Ok((id, RecordFlow { entry }))
        },
        |answered| Said::yes().made(answered.number.get()),
    );
    let fields = vec![PRODUCT_ID, PRODUCT_NAME, QTY, Field::double("qtyToBe"), REASON, ORDER_ID, SALE_ID];
    let taken = vec![PRODUCT_ID.required(), PRODUCT_NAME, QTY.required(), REASON, SALE_ID];
    Resource::new(SYSTEM, "stockFlows", "stockFlow", Field::long("stockId"), fields, source)
        .service(STATION)
        .commanded_by(&["clerk"])
        .finder(Finder::one("findByOrderId", Field::long("order_id"), receipt).also_spelled(&["orderId"]))
        .procedure(Procedure::post("", taken, record))
}

/// The row that POS or a clerk writes. What is expected, and of which order, is not for them to say.
fn entry(call: &Call) -> Result<FlowEntry, Problem> {
    let fields = &call.fields;
    let (product_id, qty) = (product_key(fields)?.to_string(), qty(fields)?);
    let product_name = optional(Value::ProductName, fields.text("productName"))?;
    let reason = optional(Value::Reason, fields.text("reason"))?;
    let row = FlowEntry::correction(product_id, product_name, qty, reason);
    Ok(match fields.id("saleId") {
        Some(sale) => row.of_sale(sale),
        None => row,
    })
}

pub(super) fn stock_summaries(system: &System) -> Resource {
    let source = EntitySource::of(system, Stock::item);
    Resource::new(SYSTEM, "stockSummaries", "stockSummary", PRODUCT_ID, vec![PRODUCT_NAME, QTY], source)
        .service(STATION)
        .unpaged()
}

pub(super) fn product_masters(system: &System) -> Resource {
    let source = EntitySource::of(system, ProductMaster::item);
    Resource::new(SYSTEM, "productMasters", "productMaster", PRODUCT_ID, PRODUCT.to_vec(), source).service(STATION)
}

pub(super) fn accounts(system: &System) -> Resource {
    let commands = Commands::<Account>::of(system);
    let name = |fields: &Fields, field: &str| optional(Value::AccountName, fields.text(field));
    let amount = |fields: &Fields, field: &str| maybe(Value::Amount, fields.double(field));
    let open = move |fields: &Fields| {
        let (account_name, amount) = (name(fields, "accountName")?, amount(fields, "amount")?);
        Ok(OpenAccount { contents: AccountContents { account_name, amount } })
    };
    let rewrite = move |fields: &Fields| {
        let (account_name, amount) = (fields.sent("accountName", name), fields.sent("amount", amount));
        Ok(RewriteAccount { account_name: account_name.transpose()?, amount: amount.transpose()? })
    };
    let (fields, source) = (vec![Field::text("accountName"), AMOUNT], EntitySource::of(system, Account::item));
    Resource::new(SYSTEM, "accounts", "account", Field::long("accountId"), fields, source)
        .service(STATION)
        .commanded_by(&["manager"])
        .create(commands.create(open))
        .change(commands.change(rewrite))
        .remove(commands.remove(CloseAccount))
}

pub(super) fn sales_summaries(system: &System) -> Resource {
    let source = ViewSource::of(system, |product, row: &SalesSummary| row.item(product));
    let fields = vec![PRODUCT_NAME, QTY, AMOUNT];
    Resource::new(SYSTEM, "salesSummaries", "salesSummary", PRODUCT_ID, fields, source).service(STATION).unpaged()
}
