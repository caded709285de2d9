use super::{Collection, Key, System, call};

/// Each product is moved by one thing only: the messages tell of running totals, which would depend on who comes
/// first.
pub(crate) const STORE: System<'_> = System {
    name: "store",
    services: &["order", "delivery", "product", "payment", "alarm"],
    collections: &[
        Collection {
            name: "orders",
            service: "order",
            key: Key::Named("id", "order"),
            references: &[("productId", "product")],
            ignored: &[],
        },
        Collection {
            name: "deliveries",
            service: "delivery",
            key: Key::Drawn("id"),
            references: &[("orderId", "order"), ("productId", "product")],
            ignored: &[],
        },
        Collection {
            name: "products",
            service: "product",
            key: Key::Named("id", "product"),
            references: &[],
            ignored: &[],
        },
        Collection {
            name: "payments",
            service: "payment",
            key: Key::Named("id", "payment"),
            references: &[("productId", "product")],
            ignored: &[],
        },
        Collection { name: "messages", service: "alarm", key: Key::Drawn("id"), references: &[], ignored: &[] },
        Collection {
            name: "orderStatuses",
            service: "order",
            key: Key::Named("id", "order"),
            references: &[("orderId", "order"), ("productId", "product")],
            ignored: &[],
        },
        Collection {
            name: "productPages",
            service: "product",
            key: Key::Named("id", "product"),
            references: &[],
            ignored: &[],
        },
    ],
    before: &[
        call("POST :8088/products quantity=10 price=1000", &[], 201).gives("product-ordered"),
        call("POST :8088/products quantity=10 price=1000", &[], 201).gives("product-unwanted"),
        call("POST :8088/products quantity=10 price=1000", &[], 201).gives("product-undelivered"),
        call("POST :8088/products quantity=10 price=1000", &[], 201).gives("product-bought"),
        call("POST :8088/products quantity=10 price=1000", &[], 201).gives("product-returned"),
        call("POST :8088/products quantity=10 price=1000", &[], 201).gives("product-short"),
        call("POST :8088/products quantity=10 price=1000", &[], 201).gives("product-repriced"),
        call("POST :8088/orders productId={product-unwanted} quantity=3", &[], 201).gives("order-unwanted"),
        call("POST :8088/orders productId={product-undelivered} quantity=4", &[], 201).gives("order-undelivered"),
        call("GET ':8088/deliveries?productId={product-undelivered}'", &[], 200).gives("delivery-undelivered"),
        call("POST :8088/payments productId={product-returned} quantity=2 price=2000", &[], 201)
            .gives("payment-returned"),
    ],
    during: &[
        call("POST :8088/orders productId={product-ordered} quantity=5", &["order", "delivery"], 201)
            .gives("order-ordered"),
        call("DELETE :8088/orders/{order-unwanted}", &["order", "delivery"], 204),
        call("DELETE :8088/deliveries/{delivery-undelivered}", &["delivery"], 204),
        call("POST :8088/payments productId={product-bought} quantity=1 price=5", &["payment"], 201)
            .gives("payment-bought"),
        call("DELETE :8088/payments/{payment-returned}", &["payment"], 204),
        call("POST :8088/payments productId={product-short} quantity=99 price=7", &["payment"], 201)
            .gives("payment-short"),
        call("PATCH :8088/products/{product-repriced} price=1200", &["product"], 200),
        call("POST :8088/orders quantity=5", &["order"], 400),
        call("DELETE :8088/orders/{order-unwanted}", &["order", "delivery"], 404),
    ],
};
