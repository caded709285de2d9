//! Prices flow from headquarters to the station and on to POS (F5).

use crate::actors::{
    entity::{Dispatch, Policy, Recorded, send},
    systems::station::{
        product::{Product, ProductEvent},
        replicas::{AdoptMaster, AdoptProduct, ProductMaster, ProductMasterEvent, ProductMenu},
    },
};

/// The station's list follows headquarters' (service Station).
#[derive(Debug)]
pub struct UpdateMasters;

impl Policy for UpdateMasters {
    const NAME: &'static str = "station.update-masters";
    type Source = Product;
    type Target = ProductMaster;
    fn react(&self, event: &Recorded<Product>) -> Vec<Dispatch<ProductMaster>> {
        let ProductEvent::ProductChanged { product, resend } = &event.event;
        vec![send(&product.key(), AdoptProduct { product: product.clone(), resend: *resend })]
    }
}

/// The menu follows the station's list (service POS).
#[derive(Debug)]
pub struct UpdateMenus;

impl Policy for UpdateMenus {
    const NAME: &'static str = "station.update-menus";
    type Source = ProductMaster;
    type Target = ProductMenu;
    fn react(&self, event: &Recorded<ProductMaster>) -> Vec<Dispatch<ProductMenu>> {
        let ProductMasterEvent::MasterChanged(product) = &event.event;
        vec![send(&product.key(), AdoptMaster { product: product.clone() })]
    }
}
