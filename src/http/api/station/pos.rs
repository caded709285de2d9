//! Service POS.

use super::{
    AMOUNT, BEYOND_LINK, POS, PRICE, PRODUCT, PRODUCT_ID, PRODUCT_NAME, QTY, SALE_ID, SYSTEM, WITHIN, link, look_up,
    product_key, qty,
};
use crate::{
    Number, System,
    http::{
        Change, EntitySource, Field, Fields, Perform, Procedure, Resource, Said, ask, by_number, by_stream, command,
        number_in, perform, procedure, said, shown,
    },
    station::{CancelSale, ChangeSale, MakeSale, ProductMenu, Sale},
};

pub(super) fn sales(system: &System) -> Resource {
    let entities = system.entities::<Sale>();
    let source = EntitySource::new(entities.clone(), system.list::<Sale>(), |sale, number| {
        sale.item(number).as_ref().map(shown)
    });
    let change = command(entities.clone(), WITHIN, Change::Changed, by_number, |fields: &Fields| {
        Ok(ChangeSale { wanted: fields.given().clone() })
    });
    let cancel = command(entities, WITHIN, Change::Removed, by_number, |_: &Fields| Ok(CancelSale));
    let fields =
        vec![PRODUCT_ID, PRODUCT_NAME, PRICE, QTY, AMOUNT, Field::long("accountId"), Field::text("accountName")];
    Resource::new(SYSTEM, "sales", "sale", SALE_ID, fields, source)
        .service(POS)
        .replace(change.clone())
        .merge(change)
        .remove(cancel)
        .procedure(Procedure::post("", vec![PRODUCT_ID.required(), QTY.required()], sell(system)))
}

/// A sale is made at the price that the menu shows.
fn sell(system: &System) -> Perform {
    let (menus, sales) = (system.entities::<ProductMenu>(), system.entities::<Sale>());
    let link = link(system, POS);
    perform(move |call| {
        let (menus, sales) = (menus.clone(), sales.clone());
        async move {
            let (key, qty) = (product_key(&call.fields)?, qty(&call.fields)?);
            let product = look_up(&menus, &key, |menu| menu.item(Number::NONE)).await?;
            let sell = MakeSale { product_id: key.to_string(), product, qty, within: link };
            said(ask(&sales, &call, &by_stream(&call)?, sell, link + BEYOND_LINK).await, |answered| {
                Said::yes().made(answered.reply.sale_id)
            })
        }
    })
}

/// A procedure only.
pub(super) fn cancel_sales(system: &System) -> Resource {
    let cancel = procedure(
        system.entities::<Sale>(),
        WITHIN,
        |call| number_in(call, "saleId"),
        |_| Ok(CancelSale),
        |_| Said::yes(),
    );
    Resource::without_items(SYSTEM, "cancelSales").service(POS).procedure(Procedure::post(
        "",
        vec![SALE_ID.required()],
        cancel,
    ))
}

pub(super) fn product_menus(system: &System) -> Resource {
    let source = EntitySource::new(system.entities::<ProductMenu>(), system.list::<ProductMenu>(), |menu, number| {
        menu.item(number).as_ref().map(shown)
    });
    Resource::new(SYSTEM, "productMenus", "productMenu", PRODUCT_ID, PRODUCT.to_vec(), source).service(POS)
}
