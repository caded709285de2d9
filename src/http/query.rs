//! What a query string asks of a list: a page, an order, filters.

use std::{cmp::Ordering, fmt};

use serde_json::Value;

use super::{
    Item, Problem, body,
    hal::Shape,
    resource::{Filter as Declared, Wanted},
};

/// Rows of a page when none are asked for.
const DEFAULT_SIZE: u64 = 20;
/// More rows than this in one page are not given, whatever was asked for.
const MAX_SIZE: u64 = 1000;

/// A list's query string, understood.
#[derive(Clone)]
pub(crate) struct Query {
    pub(crate) page: u64,
    pub(crate) size: u64,
    /// Whether a page, size or order was asked for.
    pub(crate) explicit: bool,
    order: Vec<Order>,
    filters: Vec<Filter>,
    /// Declared filters with what was asked of them, until they are prepared.
    asked: Vec<(Declared, Value)>,
    wanted: Vec<Wanted>,
    /// What was asked besides page and size, to be kept in the links of a page.
    pub(crate) kept: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
struct Order {
    property: String,
    descending: bool,
}

/// Equality of one property with any of these.
#[derive(Clone, Debug)]
struct Filter {
    property: String,
    wanted: Vec<Value>,
}

impl Query {
    fn new() -> Self {
        Self {
            page: 0,
            size: DEFAULT_SIZE,
            explicit: false,
            order: Vec::new(),
            filters: Vec::new(),
            asked: Vec::new(),
            wanted: Vec::new(),
            kept: Vec::new(),
        }
    }

    /// All items with this value of a property.
    pub(crate) fn equality(property: &str, value: Value) -> Self {
        let mut this = Self::new();
        this.filter(property, value);
        this
    }

    /// Understands `query` for a list of `shape` with these declared filters. What it does not know is
    /// ignored; a bad page or size is the default, a size above the greatest is the greatest.
    ///
    /// # Errors
    /// 400 when the query cannot be decoded, or filters by what can never be.
    pub(crate) fn of(query: &str, shape: &Shape, declared: &[Declared]) -> Result<Self, Problem> {
        let pairs = body::pairs(query.as_bytes()).map_err(|why| Problem::invalid("MALFORMED_QUERY", why))?;
        let mut this = Self::new();
        for (name, value) in pairs {
            match name.as_str() {
                "page" => (this.page, this.explicit) = (value.trim().parse().unwrap_or(0), true),
                "size" => {
                    let size = value.trim().parse().ok().filter(|size| *size > 0);
                    (this.size, this.explicit) = (size.unwrap_or(DEFAULT_SIZE).min(MAX_SIZE), true);
                }
                "sort" => {
                    this.explicit = true;
                    this.sort(&value, shape);
                    this.kept.push((name, value));
                }
                _ => {
                    if let Some(filter) = declared.iter().find(|filter| filter.parameter.name == name) {
                        this.asked.extend(filter.value(&value)?.map(|value| (filter.clone(), value)));
                        this.kept.push((name, value));
                    } else if let Some(field) = shape.property(&name) {
                        this.filter(&name, field.coerce(&Value::String(value.clone()))?);
                        this.kept.push((name, value));
                    }
                }
            }
        }
        Ok(this)
    }

    /// Fetches what the declared filters have to know; whether all of that was up to date. Until then they let everything
    /// pass.
    ///
    /// # Errors
    /// What they say.
    pub(crate) async fn prepare(&mut self) -> Result<bool, Problem> {
        let mut all_caught_up = true;
        for (filter, value) in std::mem::take(&mut self.asked) {
            let (wanted, caught_up) = filter.wanted(value).await?;
            self.wanted.push(wanted);
            all_caught_up &= caught_up;
        }
        Ok(all_caught_up)
    }

    /// `property[,property...][,asc|desc]`; unknown properties are ignored.
    fn sort(&mut self, value: &str, shape: &Shape) {
        let mut parts: Vec<&str> = value.split(',').map(str::trim).collect();
        let direction = parts.last().copied().unwrap_or_default();
        let descending = direction.eq_ignore_ascii_case("desc");
        if descending || direction.eq_ignore_ascii_case("asc") {
            parts.pop();
        }
        for property in parts.into_iter().filter(|property| shape.property(property).is_some()) {
            self.order.push(Order { property: property.to_owned(), descending });
        }
    }

    fn filter(&mut self, property: &str, wanted: Value) {
        match self.filters.iter_mut().find(|filter| filter.property == property) {
            Some(filter) => filter.wanted.push(wanted),
            None => self.filters.push(Filter { property: property.to_owned(), wanted: vec![wanted] }),
        }
    }

    /// Whether the rows can be given as they come: by key, all of them.
    pub(crate) fn is_plain(&self) -> bool {
        self.order.is_empty() && self.filters.is_empty() && self.wanted.is_empty()
    }

    /// Whether every filter lets `item` pass.
    pub(crate) fn matches(&self, item: &Item, key: &str) -> bool {
        self.wanted.iter().all(|wanted| wanted(item))
            && self.filters.iter().all(|filter| {
                let value = property(item, &filter.property, key);
                filter.wanted.iter().any(|wanted| compare(value, wanted) == Ordering::Equal)
            })
    }

    /// The order asked for, then by key (`items` come by key and the sort is stable).
    pub(crate) fn sort_items(&self, items: &mut [Item], key: &str) {
        if self.order.is_empty() {
            return;
        }
        items.sort_by(|a, b| {
            self.order.iter().fold(Ordering::Equal, |so_far, order| {
                so_far.then_with(|| {
                    let by = compare(property(a, &order.property, key), property(b, &order.property, key));
                    if order.descending { by.reverse() } else { by }
                })
            })
        });
    }
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Query")
            .field("page", &self.page)
            .field("size", &self.size)
            .field("order", &self.order)
            .field("filters", &self.filters)
            .field("asked", &self.asked)
            .finish_non_exhaustive()
    }
}

impl Shape {
    /// The field with this name, the key included.
    pub(crate) fn property(&self, name: &str) -> Option<super::Field> {
        std::iter::once(&self.key).chain(&self.fields).find(|field| field.name == name).copied()
    }
}

fn property<'a>(item: &'a Item, name: &str, key: &str) -> &'a Value {
    if name == key { &item.key } else { item.fields.get(name).unwrap_or(&Value::Null) }
}

/// Null first, then false before true, numbers by value, texts by code point. An empty text asked for in
/// a filter is null for every other type already.
pub(crate) fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => a.as_f64().partial_cmp(&b.as_f64()).unwrap_or(Ordering::Equal),
        },
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        _ => rank(a).cmp(&rank(b)),
    }
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::http::{
        Field,
        hal::tests::{order, orders},
    };

    fn query(text: &str) -> Query {
        Query::of(text, &orders(), &[]).unwrap()
    }

    fn items(rows: &[(u64, Value, Value)]) -> Vec<Item> {
        let row = |(id, quantity, status): &(u64, Value, Value)| {
            let mut item = order(*id);
            item.fields.set("quantity", quantity.clone());
            item.fields.set("status", status.clone());
            item
        };
        rows.iter().map(row).collect()
    }

    fn sorted(text: &str, rows: &[(u64, Value, Value)]) -> Vec<u64> {
        let mut items = items(rows);
        query(text).sort_items(&mut items, "id");
        items.iter().map(|item| item.key.as_u64().unwrap()).collect()
    }

    #[test]
    fn bad_pages_and_sizes_are_the_defaults() {
        for (text, page, size) in [
            ("", 0, 20),
            ("page=2&size=5", 2, 5),
            ("page=-1&size=0", 0, 20),
            ("page=x&size=x", 0, 20),
            ("size=1000", 0, 1000),
            ("size=5000", 0, 1000),
            ("size=-5", 0, 20),
            ("page=99999999999999999999&size=", 0, 20),
        ] {
            let query = query(text);
            assert_eq!((query.page, query.size), (page, size), "{text}");
            assert_eq!(query.explicit, !text.is_empty());
        }
    }

    #[test]
    fn the_first_order_wins_first_and_unknown_properties_are_ignored() {
        let rows = [
            (1, json!(2), json!("b")),
            (2, json!(10), json!("a")),
            (3, json!(2), json!("a")),
            (4, json!(null), json!("c")),
        ];
        assert_eq!(sorted("sort=quantity,desc&sort=status", &rows), [2, 3, 1, 4]);
        assert_eq!(sorted("sort=quantity", &rows), [4, 1, 3, 2]);
        assert_eq!(sorted("sort=status,quantity,desc", &rows), [4, 1, 2, 3], "one direction for both");
        assert_eq!(sorted("sort=nothing,desc&sort=id,DESC", &rows), [4, 3, 2, 1]);
        assert_eq!(sorted("sort=", &rows), [1, 2, 3, 4]);
    }

    #[test]
    fn filters_compare_values_not_texts() {
        let rows = [(1, json!(2), json!("배트맨")), (2, json!(3), json!(null)), (3, json!(4), json!(""))];
        let found = |text: &str| -> Vec<u64> {
            let query = query(text);
            items(&rows)
                .iter()
                .filter(|item| query.matches(item, "id"))
                .map(|item| item.key.as_u64().unwrap())
                .collect()
        };
        assert_eq!(found("quantity=02"), [1]);
        assert_eq!(found("quantity=2&quantity=3"), [1, 2]);
        assert_eq!(found("status=%EB%B0%B0%ED%8A%B8%EB%A7%A8&id=1"), [1]);
        assert_eq!(found("status="), [3]);
        assert_eq!(found("id=2&unknown=x"), [2]);
        assert_eq!(found("quantity=2&status=x"), Vec::<u64>::new());
    }

    #[test]
    fn a_filter_by_what_can_never_be_is_400() {
        assert_eq!(Query::of("quantity=abc", &orders(), &[]).unwrap_err().status(), 400);
        assert_eq!(Query::of("status=%ff", &orders(), &[]).unwrap_err().status(), 400, "it is no text");
    }

    #[tokio::test]
    async fn declared_filters_are_inclusive_and_go_before_fields_of_the_same_name() {
        let least = Declared::at_least(Field::int("minQuantity"), "quantity");
        let most = Declared::at_most(Field::int("maxQuantity"), "quantity");
        let status = Declared::by(Field::text("status"), |item, value| item.fields.get("status") != Some(value));
        let declared = [least, most, status];
        let rows = items(&[(1, json!(2), json!("a")), (2, json!(3), json!("b")), (3, json!(null), json!("c"))]);
        let found = async |text: &str| -> Vec<u64> {
            let mut query = Query::of(text, &orders(), &declared).unwrap();
            query.prepare().await.unwrap();
            rows.iter().filter(|item| query.matches(item, "id")).map(|item| item.key.as_u64().unwrap()).collect()
        };
        assert_eq!(found("minQuantity=3").await, [2]);
        assert_eq!(found("maxQuantity=2").await, [1], "null is neither more nor less");
        assert_eq!(found("minQuantity=2&maxQuantity=3&id=2").await, [2]);
        assert_eq!(found("minQuantity=&maxQuantity=%20").await, [1, 2, 3], "an empty field of a form asks nothing");
        assert_eq!(found("status=a").await, [2, 3]);
        let mut none = Query::of("minQuantity=", &orders(), &declared).unwrap();
        none.prepare().await.unwrap();
        assert!(none.is_plain());
        assert_eq!(Query::of("minQuantity=x", &orders(), &declared).unwrap_err().status(), 400);
        assert_eq!(Query::of("minQuantity=2", &orders(), &declared).unwrap().kept.len(), 1);
    }

    #[test]
    fn a_declared_filter_refuses_what_it_checks() {
        let even = |value: &Value| match value.as_i64() {
            Some(number) if number % 2 == 0 => Ok(()),
            _ => Err(Problem::field("even", "must be even")),
        };
        let declared = [Declared::by(Field::long("even"), |_, _| true).checked("[0-9]*[02468]", even)];
        assert!(Query::of("even=2", &orders(), &declared).is_ok());
        assert_eq!(Query::of("even=3", &orders(), &declared).unwrap_err().status(), 400);
    }
}
