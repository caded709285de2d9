//! The replicas of headquarters' list: the station's and the one of POS (F5). Only policies write them (D-3).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{product::ProductItem, values::fields};
use crate::actors::entity::{
    Command, CommandContext, Decision, DomainEvent, Effects, Entity, Key, Listed, Number, Presence, persist,
};

/// A replica refuses nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum ReplicaRejection {}

impl crate::actors::systems::Refusal for ReplicaRejection {
    fn code(&self) -> &'static str {
        match *self {}
    }
    fn class(&self) -> crate::actors::systems::RefusalClass {
        match *self {}
    }
}

/// The product as the station knows it (service Station).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProductMaster(Option<ProductItem>);

/// What happens to the station's replica.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ProductMasterEvent {
    /// It is new or another, or is told again.
    MasterChanged(ProductItem),
}

impl DomainEvent for ProductMasterEvent {
    const PUBLIC: &'static [&'static str] = &["MasterChanged"];

    fn name(&self) -> &'static str {
        match self {
            Self::MasterChanged(_) => "MasterChanged",
        }
    }
    fn on_bus(&self, _: Number) -> Map<String, Value> {
        let Self::MasterChanged(product) = self;
        fields(product.on_bus())
    }
}

impl Entity for ProductMaster {
    const KIND: &'static str = "station.product-master";
    const SNAPSHOT: u32 = 1;
    type Id = Key;
    type Event = ProductMasterEvent;
    type Rejection = ReplicaRejection;
    const COMMANDS: &'static [&'static str] = &[AdoptProduct::NAME];

    fn evolve(&mut self, event: &ProductMasterEvent) {
        let ProductMasterEvent::MasterChanged(product) = event;
        self.0 = Some(product.clone());
    }
}

impl Listed for ProductMaster {
    const LIST: &'static str = "station.product-masters";
    fn presence(&self) -> Presence {
        if self.0.is_some() { Presence::Listed } else { Presence::Hidden }
    }
}

impl ProductMaster {
    /// The product as clients see it; `None` when the station has not heard of it.
    pub fn item(&self, _: Number) -> Option<ProductItem> {
        self.0.clone()
    }
}

/// Takes over what headquarters says. What it says again is told on, for POS may have missed it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdoptProduct {
    /// The product.
    pub product: ProductItem,
    /// Whether it is told again.
    pub resend: bool,
}

impl Command<ProductMaster> for AdoptProduct {
    const NAME: &'static str = "adopt-product";
    type Reply = ();
    fn decide(self, master: &ProductMaster, _: &CommandContext) -> Decision<ProductMaster, ()> {
        if master.0.as_ref() == Some(&self.product) && !self.resend {
            return Ok(Effects::reply(()));
        }
        Ok(persist([ProductMasterEvent::MasterChanged(self.product)]).reply(()))
    }
}

/// The product as POS sells it (service POS).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProductMenu(Option<ProductItem>);

/// What happens to the replica of POS. Internal: nobody else cares.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ProductMenuEvent {
    /// It is new or another.
    MenuChanged(ProductItem),
}

impl DomainEvent for ProductMenuEvent {
    const PUBLIC: &'static [&'static str] = &[];

    fn name(&self) -> &'static str {
        match self {
            Self::MenuChanged(_) => "MenuChanged",
        }
    }
    fn on_bus(&self, _: Number) -> Map<String, Value> {
        Map::new()
    }
}

impl Entity for ProductMenu {
    const KIND: &'static str = "station.product-menu";
    const SNAPSHOT: u32 = 1;
    type Id = Key;
    type Event = ProductMenuEvent;
    type Rejection = ReplicaRejection;
    const COMMANDS: &'static [&'static str] = &[AdoptMaster::NAME];

    fn evolve(&mut self, event: &ProductMenuEvent) {
        let ProductMenuEvent::MenuChanged(product) = event;
        self.0 = Some(product.clone());
    }
}

impl Listed for ProductMenu {
    const LIST: &'static str = "station.product-menus";
    fn presence(&self) -> Presence {
        if self.0.is_some() { Presence::Listed } else { Presence::Hidden }
    }
}

impl ProductMenu {
    /// The product as clients see it; `None` when POS does not sell it.
    pub fn item(&self, _: Number) -> Option<ProductItem> {
        self.0.clone()
    }
}

/// Takes over what the station says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdoptMaster {
    /// The product.
    pub product: ProductItem,
}

impl Command<ProductMenu> for AdoptMaster {
    const NAME: &'static str = "adopt-master";
    type Reply = ();
    fn decide(self, menu: &ProductMenu, _: &CommandContext) -> Decision<ProductMenu, ()> {
        if menu.0.as_ref() == Some(&self.product) {
            return Ok(Effects::reply(()));
        }
        Ok(persist([ProductMenuEvent::MenuChanged(self.product)]).reply(()))
    }
}
