use super::{Collection, Key, System, call};

pub(crate) const STATION: System<'_> = System {
    name: "station",
    services: &["POS", "Station", "Order", "Logistics"],
    collections: &[
        Collection {
            name: "orders",
            service: "Order",
            key: Key::Named("orderId", "order"),
            references: &[],
            ignored: &[("orderDate", TODAY)],
        },
        Collection { name: "product", service: "Order", key: Key::Natural, references: &[], ignored: &[] },
        Collection {
            name: "orderStatuses",
            service: "Order",
            key: Key::Named("orderId", "order"),
            references: &[],
            ignored: &[("orderDate", TODAY)],
        },
        Collection {
            name: "shipments",
            service: "Logistics",
            key: Key::Drawn("shipId"),
            references: &[("orderId", "order")],
            ignored: &[("carNumber", "drawn by chance")],
        },
        Collection {
            name: "stockFlows",
            service: "Station",
            key: Key::Drawn("stockId"),
            references: &[("orderId", "order"), ("saleId", "sale")],
            ignored: &[],
        },
        Collection { name: "stockSummaries", service: "Station", key: Key::Natural, references: &[], ignored: &[] },
        Collection { name: "salesSummaries", service: "Station", key: Key::Natural, references: &[], ignored: &[] },
        Collection { name: "productMasters", service: "Station", key: Key::Natural, references: &[], ignored: &[] },
        Collection {
            name: "accounts",
            service: "Station",
            key: Key::Named("accountId", "account"),
            references: &[],
            ignored: &[],
        },
        Collection { name: "sales", service: "POS", key: Key::Named("saleId", "sale"), references: &[], ignored: &[] },
        Collection { name: "productMenus", service: "POS", key: Key::Natural, references: &[], ignored: &[] },
    ],
    before: &[
        call("-f POST :8080/orders/placeOrder productId=CD1001 qty=20000 destAddr=a", &[], 200)
            .says("true")
            .gives("order-received"),
        call("-f POST :8080/orders/placeOrder productId=CD1004 qty=5000 destAddr=b", &[], 200)
            .says("true")
            .gives("order-expected"),
        call("-f POST :8080/orders/placeOrder productId=CD1001 qty=7 destAddr=c", &[], 200)
            .says("true")
            .gives("order-regretted"),
        call("-f POST :8080/stocks/confirmStock orderId={order-received}", &[], 200).says("true"),
        call("-f POST :8080/sales productId=CD1001 qty=30", &[], 200).says("true").gives("sale-regretted"),
    ],
    during: &[
        call("-f POST :8080/orders/placeOrder productId=CD1001 qty=100 destAddr=d", &["Order"], 200)
            .says("true")
            .gives("order-new"),
        call("-f POST :8080/stocks/confirmStock orderId={order-expected}", &["Station"], 200).says("true"),
        call("-f POST :8080/sales productId=CD1001 qty=5", &["POS", "Station"], 200).says("true").gives("sale-new"),
        call("-f POST :8080/cancelSales saleId={sale-regretted}", &["POS"], 200).says("true"),
        call("-f POST :8080/cancelSales saleId={sale-regretted}", &["POS"], 200).says("false"),
        call("-f POST :8080/products/sync productId=CD1004 price=1600", &["Order"], 200).says("true"),
        call("-f POST :8080/products/sync productId=XX price=1600", &["Order"], 200).says("false"),
        call("POST :8080/stockFlows productId=CD1001 qty:=3 reason=found", &["Station"], 200).says("true"),
        call("POST :8080/accounts accountName=Kim amount:=7.5", &["Station"], 201).gives("account-kim"),
        call("DELETE :8080/orders/{order-regretted}", &["Order", "Station"], 204),
    ],
};

const TODAY: &str = "the day of the run";
