//! A product and its price (service Order): headquarters' own list, from which the station's
//! [`ProductMaster`](super::ProductMaster) and the [`ProductMenu`](super::ProductMenu) of POS are fed (F5).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    sale::MAX_PRICE,
    values::{Field, InvalidValue, fields},
};
use crate::actors::{
    entity::{Command, CommandContext, Decision, DomainEvent, Effects, Entity, Key, Listed, Number, Presence, persist},
    systems::{Refusal, RefusalClass},
};

/// Something that is ordered and sold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Product(Option<ProductItem>);

/// A product as clients see it, here and in its replicas.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProductItem {
    /// What it is found by.
    pub product_id: String,
    /// Its name.
    pub product_name: String,
    /// Its price, per litre.
    pub price: i64,
}

impl ProductItem {
    /// GAS, which every station has from the beginning (D-1).
    pub fn gas() -> Self {
        Self { product_id: "CD1001".to_owned(), product_name: "GAS".to_owned(), price: 2000 }
    }

    /// Diesel, which every station has from the beginning (D-1).
    pub fn diesel() -> Self {
        Self { product_id: "CD1004".to_owned(), product_name: "Diesel".to_owned(), price: 1500 }
    }

    /// The key that it is found by.
    pub fn key(&self) -> Key {
        Key::new(&self.product_id).expect("a product is named by a key")
    }

    pub(super) fn on_bus(&self) -> [(&'static str, Value); 3] {
        let Self { product_id, product_name, price } = self.clone();
        [("productId", product_id.into()), ("productName", product_name.into()), ("price", price.into())]
    }
}

/// A product that was set, and whether there was none before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProductSet {
    /// As it is now.
    #[serde(flatten)]
    pub product: ProductItem,
    /// Whether there was none before.
    pub is_new: bool,
}

/// What happens to a product.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ProductEvent {
    /// It is new or another, or is told again.
    ProductChanged {
        /// As it is now.
        product: ProductItem,
        /// Whether it is told again for those who may have missed it (D-17).
        resend: bool,
    },
}

impl DomainEvent for ProductEvent {
    const PUBLIC: &'static [&'static str] = &["ProductChanged"];

    fn name(&self) -> &'static str {
        match self {
            Self::ProductChanged { .. } => "ProductChanged",
        }
    }
    fn on_bus(&self, _: Number) -> Map<String, Value> {
        let Self::ProductChanged { product, resend } = self;
        let mut bus = fields(product.on_bus());
        bus.insert("resend".to_owned(), (*resend).into());
        bus
    }
}

/// Why a product does not do what it was asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
pub enum ProductRejection {
    /// The request has a value that no product can have.
    #[error(transparent)]
    Invalid(#[from] InvalidValue),
    /// There is no such product.
    #[error("there is no such product")]
    Unknown,
    /// There is such a product already.
    #[error("there is such a product already")]
    AlreadyThere,
}

impl Refusal for ProductRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::Invalid(value) => value.code(),
            Self::Unknown => "UNKNOWN_PRODUCT",
            Self::AlreadyThere => "ALREADY_THERE",
        }
    }
    fn class(&self) -> RefusalClass {
        match self {
            Self::Invalid(value) => value.class(),
            Self::Unknown => RefusalClass::Gone,
            Self::AlreadyThere => RefusalClass::Conflict,
        }
    }
    fn field(&self) -> Option<&'static str> {
        match self {
            Self::Invalid(value) => value.field(),
            Self::Unknown | Self::AlreadyThere => None,
        }
    }
}

impl Entity for Product {
    const KIND: &'static str = "station.product";
    const SNAPSHOT: u32 = 1;
    type Id = Key;
    type Event = ProductEvent;
    type Rejection = ProductRejection;
    const COMMANDS: &'static [&'static str] =
        &[SeedProduct::NAME, AddProduct::NAME, SetProduct::NAME, ChangeProduct::NAME, SyncProduct::NAME];

    fn evolve(&mut self, event: &ProductEvent) {
        let ProductEvent::ProductChanged { product, resend: _ } = event;
        self.0 = Some(product.clone());
    }
}

impl Listed for Product {
    const LIST: &'static str = "station.products";
    fn presence(&self) -> Presence {
        if self.0.is_some() { Presence::Listed } else { Presence::Hidden }
    }
}

impl Product {
    /// The product as clients see it; `None` when there is none.
    pub fn item(&self, _: Number) -> Option<ProductItem> {
        self.0.clone()
    }

    /// What makes this product of the one that there is: an event when it is another.
    fn changed(&self, product: &ProductItem) -> Result<Option<ProductEvent>, InvalidValue> {
        price(product.price)?;
        let event = ProductEvent::ProductChanged { product: product.clone(), resend: false };
        Ok((self.0.as_ref() != Some(product)).then_some(event))
    }
}

fn price(price: i64) -> Result<(), InvalidValue> {
    match price {
        ..0 => Err(InvalidValue::Negative(Field::Price)),
        0..=MAX_PRICE => Ok(()),
        _ => Err(InvalidValue::TooLarge(Field::Price)),
    }
}

/// Adds a product that the station cannot be without, unless it is there (D-1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeedProduct {
    /// Which.
    pub product: ProductItem,
}

impl Command<Product> for SeedProduct {
    const NAME: &'static str = "seed-product";
    type Reply = ();
    fn decide(self, product: &Product, _: &CommandContext) -> Decision<Product, ()> {
        if product.0.is_some() {
            return Ok(Effects::reply(()));
        }
        Ok(persist(product.changed(&self.product)?).reply(()))
    }
}

/// Adds a product.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AddProduct {
    /// Which; its price is at least 0.
    pub product: ProductItem,
}

impl Command<Product> for AddProduct {
    const NAME: &'static str = "add-product";
    type Reply = ProductItem;
    fn decide(self, product: &Product, _: &CommandContext) -> Decision<Product, ProductItem> {
        if product.0.is_some() {
            return Err(ProductRejection::AlreadyThere);
        }
        Ok(persist(product.changed(&self.product)?).reply(self.product))
    }
}

/// Makes a product what is said here, whether there is one or not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetProduct {
    /// What it shall be; its price is at least 0.
    pub product: ProductItem,
}

impl Command<Product> for SetProduct {
    const NAME: &'static str = "set-product";
    type Reply = ProductSet;
    fn decide(self, product: &Product, _: &CommandContext) -> Decision<Product, ProductSet> {
        let (change, is_new) = (product.changed(&self.product)?, product.0.is_none());
        Ok(persist(change).reply(ProductSet { product: self.product, is_new }))
    }
}

/// Changes a product; what is not named stays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangeProduct {
    /// Its name.
    pub product_name: Option<String>,
    /// Its price, at least 0.
    pub price: Option<i64>,
}

impl Command<Product> for ChangeProduct {
    const NAME: &'static str = "change-product";
    type Reply = ProductItem;
    fn decide(self, product: &Product, _: &CommandContext) -> Decision<Product, ProductItem> {
        let now = product.0.clone().ok_or(ProductRejection::Unknown)?;
        let (product_name, price) = (self.product_name.unwrap_or(now.product_name), self.price.unwrap_or(now.price));
        let changed = ProductItem { product_id: now.product_id, product_name, price };
        Ok(persist(product.changed(&changed)?).reply(changed))
    }
}

/// Sets the price, if one is given, and tells the product to the station again: one event for the change, if it is
/// one, and one for the telling (D-17).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SyncProduct {
    /// The price, at least 0.
    pub price: Option<i64>,
}

impl Command<Product> for SyncProduct {
    const NAME: &'static str = "sync-product";
    type Reply = ();
    fn decide(self, product: &Product, _: &CommandContext) -> Decision<Product, ()> {
        let now = product.0.clone().ok_or(ProductRejection::Unknown)?;
        let told = ProductItem { price: self.price.unwrap_or(now.price), ..now };
        let change = product.changed(&told)?;
        let again = ProductEvent::ProductChanged { product: told, resend: true };
        Ok(persist(change.into_iter().chain([again])).reply(()))
    }
}
