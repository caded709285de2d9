use super::{Collection, Key, System, call};

/// Prices change of what nobody sells meanwhile, and no order is canceled that was placed meanwhile: how far such a one
/// comes before depends on who is faster.
const STATION: System = System {
    name: "station",
    services: &["Order", "Logistics", "Station", "POS"],
    collections: &[
        Collection { name: "product", service: "Order", key: PRODUCT, references: &[], ignored: &[] },
        Collection { name: "orders", service: "Order", key: ORDER, references: OF_PRODUCT, ignored: &[] },
        Collection { name: "orderStatuses", service: "Order", key: ORDER, references: OF_PRODUCT, ignored: &[] },
        Collection {
            name: "shipments",
            service: "Logistics",
            key: Key::Drawn("shipId"),
            references: &[("orderId", "order"), ("productId", "product")],
            ignored: &[("carNumber", "whichever car is at hand")],
        },
        Collection {
            name: "stockFlows",
            service: "Station",
            key: Key::Drawn("stockId"),
            references: &[("productId", "product"), ("orderId", "order"), ("saleId", "sale")],
            ignored: &[],
        },
        Collection { name: "stockSummaries", service: "Station", key: PRODUCT, references: &[], ignored: &[] },
        Collection { name: "salesSummaries", service: "Station", key: PRODUCT, references: &[], ignored: &[] },
        Collection { name: "productMasters", service: "Station", key: PRODUCT, references: &[], ignored: &[] },
        Collection {
            name: "accounts",
            service: "Station",
            key: Key::Named("accountId", "account"),
            references: &[],
            ignored: &[],
        },
        Collection {
            name: "sales",
            service: "POS",
            key: Key::Named("saleId", "sale"),
            references: OF_PRODUCT,
            ignored: &[],
        },
        Collection { name: "productMenus", service: "POS", key: PRODUCT, references: &[], ignored: &[] },
    ],
    before: &[
        call("GET ':8080/product?productId=CD1001'", &[], 200).gives("product-gas"),
        call("GET ':8080/product?productId=CD1004'", &[], 200).gives("product-diesel"),
        call("POST :8080/orders/placeOrder productId=CD1001 qty=100 destAddr=a", &[], 200).gives("order-filled"),
        call("POST :8080/stocks/confirmStock orderId={order-filled}", &[], 200),
        call("POST :8080/orders/placeOrder productId=CD1001 qty=50 destAddr=a", &[], 200).gives("order-expected"),
        call("POST :8080/orders/placeOrder productId=CD1001 qty=25 destAddr=a", &[], 200).gives("order-canceled"),
        call("POST :8080/sales productId=CD1001 qty=10", &[], 200).gives("sale-canceled"),
        call("POST :8080/sales productId=CD1001 qty=12.5", &[], 200).gives("sale-kept"),
        call("POST :8080/accounts accountName=a amount=1", &[], 201).gives("account-a"),
    ],
    during: &[
        call("POST :8080/sales productId=CD1001 qty=30", &["POS", "Station"], 200).gives("sale-new"),
        call("POST :8080/cancelSales saleId={sale-canceled}", &["POS"], 200),
        call("POST :8080/orders/placeOrder productId=CD1001 qty=7 destAddr=b", &["Order"], 200).gives("order-new"),
        call("POST :8080/stocks/confirmStock orderId={order-expected}", &["Station"], 200),
        call("DELETE :8080/orders/{order-canceled}", &["Order", "Station"], 204),
        call("POST :8080/products/sync productId=CD1004 price=1600", &["Order"], 200),
        call("POST :8080/stockFlows productId=CD1004 qty=5 reason=count", &["Station"], 200),
        call("PATCH :8080/accounts/{account-a} amount=5", &["Station"], 200),
        call("POST :8080/sales productId=CD1001 qty=0", &["POS"], 400),
        call("DELETE :8080/orders/{order-filled}", &["Order", "Station"], 409),
    ],
};

const PRODUCT: Key = Key::Named("productId", "product");
const ORDER: Key = Key::Named("orderId", "order");
const OF_PRODUCT: &[(&str, &str)] = &[("productId", "product")];

#[test]
fn station_n1_n2_n3_whichever_service_is_stopped_the_end_is_the_same() {
    STATION.check();
}
