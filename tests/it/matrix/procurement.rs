use super::{Collection, Key, System, call};

const REQUEST: &[&str] = &["procurementrequest"];
const MANAGEMENT: &[&str] = &["procurementmanagement"];
const GOODS: &[&str] = &["goodsdelivery"];

const PROCUREMENT: System<'_> = System {
    name: "procurement",
    services: &["procurementmanagement", "procurementrequest", "goodsdelivery", "mypage", "notification"],
    collections: &[
        Collection {
            name: "deliveryrequests",
            service: "procurementrequest",
            key: Key::Named("id", "request"),
            references: &[],
            ignored: &[],
        },
        Collection {
            name: "inspectionResults",
            service: "procurementrequest",
            key: Key::Drawn("id"),
            references: &[],
            ignored: &[],
        },
        Collection {
            name: "deliverymanagements",
            service: "procurementmanagement",
            key: Key::Drawn("id"),
            references: &[],
            ignored: &[],
        },
        Collection {
            name: "goodsdeliveries",
            service: "goodsdelivery",
            key: Key::Drawn("id"),
            references: &[],
            ignored: &[],
        },
        Collection {
            name: "deliveryStatusInquiries",
            service: "mypage",
            key: Key::Named("id", "request"),
            references: &[],
            ignored: &[],
        },
        Collection {
            name: "smsHistories",
            service: "notification",
            key: Key::Drawn("id"),
            references: &[],
            ignored: &[],
        },
    ],
    before: &[
        call("POST :8088/deliveryrequests procNo=passed procTitle=a", &[], 201).gives("request-passed"),
        call("POST :8088/deliveryrequests procNo=failed procTitle=b", &[], 201).gives("request-failed"),
        call("POST :8088/deliveryrequests procNo=canceled procTitle=c", &[], 201).gives("request-canceled"),
        call("POST :8088/deliveryrequests procNo=filed procTitle=d", &[], 201).gives("request-filed"),
        call("POST :8088/deliveryrequests procNo=assigned procTitle=e", &[], 201).gives("request-assigned"),
        call("POST :8088/deliveryrequests procNo=changed procTitle=f", &[], 201).gives("request-changed"),
        call("POST :8088/deliveryrequests procNo=withdrawn procTitle=g", &[], 201).gives("request-withdrawn"),
        call("GET ':8088/deliverymanagements?procNo=passed'", &[], 200).gives("order-passed"),
        call("GET ':8088/deliverymanagements?procNo=canceled'", &[], 200).gives("order-canceled"),
        call("GET ':8088/deliverymanagements?procNo=filed'", &[], 200).gives("order-filed"),
        call("GET ':8088/deliverymanagements?procNo=assigned'", &[], 200).gives("order-assigned"),
        call("GET ':8088/deliverymanagements?procNo=withdrawn'", &[], 200).gives("order-withdrawn"),
        call("PATCH :8088/deliverymanagements/{order-passed} companyNo=c1 companyNm=acme", &[], 200),
        call("PATCH :8088/deliverymanagements/{order-canceled} companyNo=c1 companyNm=acme", &[], 200),
        call("PATCH :8088/deliverymanagements/{order-filed} companyNo=c1 companyNm=acme", &[], 200),
        call("PATCH :8088/deliverymanagements/{order-withdrawn} companyNo=c1 companyNm=acme", &[], 200),
        call("GET ':8088/goodsdeliveries?procNo=passed'", &[], 200).gives("goods-passed"),
        call("GET ':8088/goodsdeliveries?procNo=canceled'", &[], 200).gives("goods-canceled"),
        call("GET ':8088/goodsdeliveries?procNo=filed'", &[], 200).gives("goods-filed"),
        call("PATCH :8088/goodsdeliveries/{goods-passed} companyPhoneNo=010-1", &[], 200),
        call("PATCH :8088/goodsdeliveries/{goods-canceled} companyPhoneNo=010-2", &[], 200),
    ],
    during: &[
        call(
            "PATCH :8088/deliveryrequests/{request-passed} inspectionSuccFlag=true",
            &["procurementrequest", "procurementmanagement"],
            200,
        ),
        call("PATCH :8088/deliveryrequests/{request-failed} inspectionSuccFlag=false", REQUEST, 200),
        call("DELETE :8088/deliveryrequests/{request-canceled}", REQUEST, 204),
        call("PATCH :8088/goodsdeliveries/{goods-filed} companyPhoneNo=010-3 inspectionContents=box", GOODS, 200),
        call("PATCH :8088/deliverymanagements/{order-assigned} companyNo=c2 companyNm=redbull", MANAGEMENT, 200),
        call("PATCH :8088/deliveryrequests/{request-changed} procTitle=better procQty=2.5", REQUEST, 200),
        call("DELETE :8088/deliverymanagements/{order-withdrawn}", MANAGEMENT, 204),
        call("POST :8088/deliveryrequests procNo=new procTitle=h", REQUEST, 201).gives("request-new"),
        call("POST :8088/deliverymanagements procNo=posted procTitle=i", MANAGEMENT, 201).gives("order-posted"),
        call("PATCH :8088/deliverymanagements/{order-posted} companyNm=redbull", MANAGEMENT, 200),
        call("POST :8088/deliveryrequests procNo=regretted", REQUEST, 201).gives("request-regretted"),
        call("DELETE :8088/deliveryrequests/{request-regretted}", REQUEST, 204),
    ],
};

#[test]
fn procurement_n1_to_n5_whichever_service_is_stopped_the_end_is_the_same() {
    PROCUREMENT.check();
}
