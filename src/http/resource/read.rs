//! What is read: an item, a list, what a finder finds.

use std::sync::Arc;

use http::{StatusCode, header};
use serde_json::{Map, Value, json};

use super::{
    By, Finder, Found, Resource, Source,
    perform::{Tags, entity_tag, tags},
};
use crate::http::{
    Problem, body,
    hal::{Place, link, template},
    list,
    paging::{links, page},
    query::Query,
    request::{HAL, Request, Response, empty, json as json_response, set, written},
};

impl Resource {
    pub(super) async fn read(
        &self,
        source: &Arc<dyn Source>,
        request: &Request,
        key: &str,
        place: &Place,
    ) -> Result<Response, Problem> {
        let (item, caught_up) = source.item(key).await?;
        let item = item.ok_or_else(|| Problem::not_found(format!("there is no {} {key}", self.shape.relation)))?;
        let known = match (tags(request, header::IF_NONE_MATCH), item.sequence) {
            (Some(Tags::Any), _) => true,
            (Some(Tags::Of(sequences)), Some(now)) => sequences.contains(&now),
            (Some(Tags::Of(_)) | None, _) => false,
        };
        if known {
            let mut response = empty(StatusCode::NOT_MODIFIED);
            entity_tag(&mut response, &item);
            return Ok(with_lag(response, caught_up));
        }
        Ok(with_lag(self.item_response(StatusCode::OK, &item, place), caught_up))
    }

    pub(super) async fn list(
        &self,
        source: &Arc<dyn Source>,
        request: &Request,
        place: &Place,
    ) -> Result<Response, Problem> {
        if let Some(finder) = &self.single
            && let Some(value) = parameter(request, finder)?
        {
            return self.found(source, request, finder, value, place).await;
        }
        let mut query = Query::of(&request.query, &self.shape, &self.filters)?;
        let caught_up = source.catch_up(Self::CATCH_UP).await?;
        let prepared = query.prepare().await?;
        let list = list::read(source, &self.shape, query.clone(), &self.scans).await?;
        let links = links(&self.shape, place, &query, list.total, !self.finders.is_empty());
        let page = page(&self.shape, &query, list.total).map(|page| ("page".into(), page));
        let rest = [("_links".into(), links)].into_iter().chain(page).collect();
        Ok(with_lag(written(StatusCode::OK, HAL, self.shape.list(&list.items, place, &rest)), caught_up && prepared))
    }

    pub(super) async fn find(
        &self,
        source: &Arc<dyn Source>,
        request: &Request,
        name: &str,
        place: &Place,
    ) -> Result<Response, Problem> {
        let finder = self.finder_named(name).ok_or_else(|| Problem::not_found(format!("there is no search {name}")))?;
        let value = parameter(request, finder)?.ok_or_else(|| Problem::missing(finder.parameter.name))?;
        self.found(source, request, finder, value, place).await
    }

    async fn found(
        &self,
        source: &Arc<dyn Source>,
        request: &Request,
        finder: &Finder,
        value: String,
        place: &Place,
    ) -> Result<Response, Problem> {
        let nothing = Problem::not_found(format!("there is no {} for {value}", self.shape.relation));
        let value = finder.parameter.coerce(&Value::from(value))?;
        let Found { items, caught_up } = self.by(source, finder, value).await?;
        if finder.single {
            let item = items.first().ok_or(nothing)?;
            return Ok(with_lag(self.item_response(StatusCode::OK, item, place), caught_up));
        }
        if items.len() > Finder::MAX_FOUND {
            let message = format!("more than {} items; ask the collection, in pages", Finder::MAX_FOUND);
            return Err(Problem::invalid("TOO_MANY_ROWS", message));
        }
        let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
        let own = format!("{}/{}/search/{}{query}", place.base, self.shape.collection, finder.name);
        let rest = Map::from_iter([("_links".into(), json!({ "self": link(own) }))]);
        Ok(with_lag(written(StatusCode::OK, HAL, self.shape.list(&items, place, &rest)), caught_up))
    }

    /// What the finder finds for a value; an empty one that is no text finds nothing.
    async fn by(&self, source: &Arc<dyn Source>, finder: &Finder, value: Value) -> Result<Found, Problem> {
        let limit = if finder.single { 1 } else { Finder::MAX_FOUND + 1 };
        match &finder.by {
            By::Items(find) => find(value, limit).await,
            _ if value.is_null() => Ok(Found { items: Vec::new(), caught_up: true }),
            By::Key => {
                let key = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let (item, caught_up) = source.item(&key).await?;
                Ok(Found { items: item.into_iter().collect(), caught_up })
            }
            By::Keys(find) => {
                let (keys, mut caught_up) = find(value, limit).await?;
                let mut items = Vec::with_capacity(keys.len());
                for key in &keys {
                    let (item, is_now) = source.item(key).await?;
                    items.extend(item);
                    caught_up &= is_now;
                }
                Ok(Found { items, caught_up })
            }
            By::Field(name) => {
                let caught_up = source.catch_up(Self::CATCH_UP).await?;
                let items = list::all(source, &self.shape, Query::equality(name, value), &self.scans).await?;
                Ok(Found { items, caught_up })
            }
        }
    }

    pub(super) fn searches(&self, place: &Place) -> Response {
        let own = format!("{}/{}/search", place.base, self.shape.collection);
        let mut links = Map::new();
        for finder in &self.finders {
            let parameter = finder.parameter.name;
            links.insert(finder.name.into(), template(format!("{own}/{}{{?{parameter}}}", finder.name)));
        }
        links.insert("self".into(), link(own));
        json_response(StatusCode::OK, HAL, &json!({ "_links": links }))
    }

    pub(super) fn finder_named(&self, name: &str) -> Option<&Finder> {
        self.finders.iter().find(|finder| finder.name == name)
    }
}

fn parameter(request: &Request, finder: &Finder) -> Result<Option<String>, Problem> {
    let pairs = body::pairs(request.query.as_bytes()).map_err(|why| Problem::invalid("MALFORMED_QUERY", why))?;
    Ok(pairs.into_iter().find(|(name, _)| finder.takes(name)).map(|(_, value)| value))
}

/// Tells a client that it may not see its own last writes.
fn with_lag(mut response: Response, caught_up: bool) -> Response {
    if !caught_up {
        set(&mut response, "x-view-lag", "behind");
    }
    response
}
