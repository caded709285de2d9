use super::{Collection, Key, System, call};

pub(crate) const LIBRARY: System<'_> = System {
    name: "library",
    services: &["order", "rent", "delivery", "mypage"],
    collections: &[
        Collection { name: "orders", service: "order", key: Key::Named("id", "order"), references: &[], ignored: &[] },
        Collection {
            name: "rents",
            service: "rent",
            key: Key::Drawn("id"),
            references: &[("orderId", "order")],
            ignored: &[],
        },
        Collection {
            name: "deliveries",
            service: "delivery",
            key: Key::Drawn("id"),
            references: &[("orderId", "order")],
            ignored: &[],
        },
        Collection {
            name: "mypages",
            service: "mypage",
            key: Key::Named("id", "order"),
            references: &[("orderId", "order")],
            ignored: &[],
        },
    ],
    before: &[
        call("POST :8088/orders item=COSMOS", &[], 201).gives("order-shipped"),
        call("POST :8088/orders item=SAPIENS", &[], 201).gives("order-cancelled"),
        call("POST :8088/orders item=HAMLET", &[], 201).gives("order-unconfirmed"),
        call("POST :8088/orders item=EMMA", &[], 201).gives("order-off"),
        call("GET ':8088/deliveries?orderId={order-shipped}'", &[], 200).gives("delivery-shipped"),
        call("GET ':8088/deliveries?orderId={order-off}'", &[], 200).gives("delivery-off"),
        call("GET ':8088/rents?orderId={order-unconfirmed}'", &[], 200).gives("rent-unconfirmed"),
    ],
    during: &[
        call("POST :8088/orders item=WALDEN", &["order", "rent"], 201).gives("order-new"),
        call("PATCH :8088/orders/{order-cancelled} status='Order Cancel'", &["order"], 200),
        call("PATCH :8088/deliveries/{delivery-shipped} status=Shipped", &["delivery"], 200),
        call("PATCH :8088/deliveries/{delivery-off} status='Ship Canceled'", &["delivery"], 200),
        call("PATCH :8088/rents/{rent-unconfirmed} status='Rent Canceled'", &["rent"], 200),
        call("POST :8088/rents orderId={order-shipped} status=Rent", &["rent"], 200),
        call("POST :8088/orders item=ULYSSES", &["order", "rent"], 201).gives("order-regretted"),
        call("DELETE :8088/orders/{order-regretted}", &["order"], 204),
        call("DELETE :8088/orders/{order-regretted}", &["order"], 204),
    ],
};
