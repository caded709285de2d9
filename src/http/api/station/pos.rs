//! Service POS.

use super::{
    AMOUNT, POS, PRICE, PRODUCT, PRODUCT_ID, PRODUCT_NAME, QTY, SALE_ID, SYSTEM, link, look_up, product_key, qty,
};
use crate::{
    Number, System,
    http::{Commands, EntitySource, Field, Fields, Perform, Procedure, Resource, Said, by_stream, number_in},
    station::{CancelSale, ChangeSale, MakeSale, ProductMenu, Sale},
};

pub(super) fn sales(system: &System) -> Resource {
    let commands = Commands::<Sale>::of(system);
    let change = |fields: &Fields| Ok(ChangeSale { wanted: fields.given().clone() });
    let fields =
        vec![PRODUCT_ID, PRODUCT_NAME, PRICE, QTY, AMOUNT, Field::long("accountId"), Field::text("accountName")];
    Resource::new(SYSTEM, "sales", "sale", SALE_ID, fields, EntitySource::of(system, Sale::item))
        .service(POS)
        .commanded_by(&["cashier"])
        .change(commands.change(change))
        .remove(commands.remove(CancelSale))
        .procedure(Procedure::post("", vec![PRODUCT_ID.required(), QTY.required()], sell(system)))
}

/// A sale is made at the price that the menu shows.
fn sell(system: &System) -> Perform {
    let (menus, link) = (system.entities::<ProductMenu>(), link(system, POS));
    Commands::<Sale>::of(system).asking(link).prepared_procedure(
        move |call| {
            let menus = menus.clone();
            async move {
                let (key, qty) = (product_key(&call.fields)?, qty(&call.fields)?);
                let product = look_up(&menus, &key, |menu| menu.item(Number::NONE)).await?;
                Ok((by_stream(&call)?, MakeSale { product_id: key.to_string(), product, qty, within: link }))
            }
        },
        |answered| Said::yes().made(answered.reply.sale_id),
    )
}

/// A procedure only.
pub(super) fn cancel_sales(system: &System) -> Resource {
    let cancel =
        Commands::<Sale>::of(system).procedure(|call| number_in(call, "saleId"), |_| Ok(CancelSale), |_| Said::yes());
    Resource::without_items(SYSTEM, "cancelSales").service(POS).commanded_by(&["cashier"]).procedure(Procedure::post(
        "",
        vec![SALE_ID.required()],
        cancel,
    ))
}

pub(super) fn product_menus(system: &System) -> Resource {
    let source = EntitySource::of(system, ProductMenu::item);
    Resource::new(SYSTEM, "productMenus", "productMenu", PRODUCT_ID, PRODUCT.to_vec(), source).service(POS)
}
