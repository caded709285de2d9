//! Links and numbers of a page.

use serde_json::{Map, Value, json};

use super::{
    hal::{Place, Shape, link, template},
    query::Query,
    request::percent_encode,
};

/// The `_links` of a list; `total` is the number of all its rows.
pub(crate) fn links(shape: &Shape, place: &Place, query: &Query, total: u64, has_search: bool) -> Value {
    let own = format!("{}/{}", place.base, shape.collection);
    let page = |number: u64| {
        let kept =
            query.kept.iter().map(|(name, value)| format!("&{}={}", percent_encode(name), percent_encode(value)));
        let kept = kept.collect::<Vec<_>>().concat();
        link(format!("{own}?page={number}&size={}{kept}", query.size))
    };
    let pages = pages(query, total);
    let several = pages > 1 && is_paged(shape, query);
    let last = pages.saturating_sub(1);
    let mut links = Map::new();
    if several {
        links.insert("first".into(), page(0));
        if query.page > 0 {
            links.insert("prev".into(), page((query.page - 1).min(last)));
        }
    }
    let own_link = match (several && query.explicit, shape.paged) {
        (true, _) => page(query.page),
        (false, true) => template(format!("{own}{{?page,size,sort}}")),
        (false, false) => link(own.clone()),
    };
    links.insert("self".into(), own_link);
    if several {
        if query.page < last {
            links.insert("next".into(), page(query.page + 1));
        }
        links.insert("last".into(), page(last));
    }
    links.insert("profile".into(), link(format!("{}/profile/{}", place.base, shape.collection)));
    if has_search {
        links.insert("search".into(), link(format!("{own}/search")));
    }
    Value::Object(links)
}

/// The `page` object of a list; `None` when all rows are given.
pub(crate) fn page(shape: &Shape, query: &Query, total: u64) -> Option<Value> {
    is_paged(shape, query).then(|| {
        json!({
            "size": query.size,
            "totalElements": total,
            "totalPages": pages(query, total),
            "number": query.page,
        })
    })
}

/// Whether the answer is one page: always for paged resources, for the others when asked for.
pub(crate) fn is_paged(shape: &Shape, query: &Query) -> bool {
    shape.paged || query.explicit
}

fn pages(query: &Query, total: u64) -> u64 {
    total.div_ceil(query.size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::hal::tests::{orders, place};

    fn rendered(text: &str, total: u64) -> String {
        let query = Query::of(text, &orders(), &[]).unwrap();
        links(&orders(), &place("orders"), &query, total, false).to_string().replace("http://localhost:8088", "")
    }

    #[test]
    fn a_page_in_the_middle_links_as_the_conventions_show_it() {
        let expected = concat!(
            r#"{"first":{"href":"/orders?page=0&size=2"},"prev":{"href":"/orders?page=0&size=2"},"#,
            r#""self":{"href":"/orders?page=1&size=2"},"next":{"href":"/orders?page=2&size=2"},"#,
            r#""last":{"href":"/orders?page=4&size=2"},"profile":{"href":"/profile/orders"}}"#
        );
        assert_eq!(rendered("page=1&size=2", 9), expected);
    }

    #[test]
    fn one_page_has_a_template_and_no_neighbours() {
        let expected =
            r#"{"self":{"href":"/orders{?page,size,sort}","templated":true},"profile":{"href":"/profile/orders"}}"#;
        assert_eq!(rendered("", 20), expected);
        assert_eq!(rendered("page=0&size=20", 20), expected);
    }

    #[test]
    fn the_first_page_has_no_prev_the_last_no_next_and_one_past_the_end_leads_back() {
        assert!(!rendered("size=2", 4).contains("prev"));
        assert!(!rendered("size=2&page=1", 4).contains("next"));
        let past = rendered("size=2&page=9", 4);
        assert!(past.contains(r#""prev":{"href":"/orders?page=1&size=2"}"#) && !past.contains("next"), "{past}");
    }

    #[test]
    fn links_of_a_page_keep_order_and_filters() {
        let links = rendered("sort=status,desc&productId=1&unknown=2&size=1", 2);
        assert!(links.contains("/orders?page=1&size=1&sort=status,desc&productId=1\""), "{links}");
    }

    #[test]
    fn page_numbers() {
        let numbers =
            |text: &str, total| page(&orders(), &Query::of(text, &orders(), &[]).unwrap(), total).unwrap().to_string();
        assert_eq!(numbers("", 1), r#"{"size":20,"totalElements":1,"totalPages":1,"number":0}"#);
        assert_eq!(numbers("page=7&size=2", 9), r#"{"size":2,"totalElements":9,"totalPages":5,"number":7}"#);
        assert_eq!(numbers("", 0), r#"{"size":20,"totalElements":0,"totalPages":0,"number":0}"#);
    }

    #[test]
    fn views_give_all_rows_unless_a_page_is_asked_for() {
        let view = Shape { paged: false, ..orders() };
        let query = |text| Query::of(text, &view, &[]).unwrap();
        assert_eq!(page(&view, &query("status=x"), 50), None);
        assert!(page(&view, &query("size=5"), 50).is_some());
        let all = links(&view, &place("orders"), &query(""), 50, true).to_string();
        assert_eq!(
            all.replace("http://localhost:8088", ""),
            r#"{"self":{"href":"/orders"},"profile":{"href":"/profile/orders"},"search":{"href":"/orders/search"}}"#
        );
    }
}
