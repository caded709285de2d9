//! From a request to what answers it.

use http::{Method, StatusCode, header};
use tracing::Instrument;

use super::{Action, Procedure, Resource};
use crate::http::{
    Problem,
    hal::Place,
    request::{PathSegment, Request, Response, empty, set},
};

/// What of a resource a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// `/orders`
    Collection,
    /// `/orders/1`
    Item(String),
    /// `/orders/placeOrder`, when the resource has a procedure of that name
    Procedure(String),
    /// `/orders/search`
    Search,
    /// `/orders/search/findByX`
    Finder(String),
}

impl Target {
    /// Of the segments behind the collection; `None` when no resource has such a path.
    fn of(rest: &[PathSegment<'_>]) -> Option<Self> {
        match rest {
            [] => Some(Self::Collection),
            [search] if search == "search" => Some(Self::Search),
            [key] => Some(Self::Item(key.clone().into_owned())),
            [search, finder] if search == "search" => Some(Self::Finder(finder.clone().into_owned())),
            _ => None,
        }
    }
}

impl Resource {
    /// What of it the segments behind its name are; `None` when no resource has such a path.
    pub(crate) fn target(&self, rest: &[PathSegment<'_>]) -> Option<Target> {
        Target::of(rest).map(|target| self.named(target))
    }

    /// Answers any request for `target`.
    ///
    /// # Errors
    /// 404, 405 and everything that reading and commanding can lead to.
    pub(crate) async fn handle(&self, request: &Request, target: Target, place: &Place) -> Result<Response, Problem> {
        if !self.offers(&target) {
            return Err(Problem::not_found(format!("{} does not exist", request.path)));
        }
        if request.method == Method::OPTIONS {
            let mut response = empty(StatusCode::OK);
            set(&mut response, header::ALLOW, &self.methods(&target));
            return Ok(response);
        }
        if let Some(procedure) = self.procedure_at(&request.method, &target) {
            return self.perform(procedure, request, place).instrument(request.log_span()).await;
        }
        if let Some(action) = self.action(&request.method, &target) {
            let done = async { self.command(action, request, self.resolved(target).await?, place).await };
            return done.instrument(request.log_span()).await;
        }
        let reads = matches!(request.method, Method::GET | Method::HEAD);
        match (self.source.as_ref().filter(|_| reads), self.resolved(target).await?) {
            (Some(source), Target::Collection) => self.list(source, request, place).await,
            (Some(source), Target::Item(key)) => self.read(source, request, &key, place).await,
            (Some(_), Target::Search) => Ok(self.searches(place)),
            (Some(source), Target::Finder(name)) => self.find(source, request, &name, place).await,
            (None, target) | (Some(_), target @ Target::Procedure(_)) => {
                Err(Problem::method_not_allowed(&request.method, self.methods(&target)))
            }
        }
    }

    /// The roles that may do this here, beside operators; `None` for what only reads.
    pub(crate) fn commanders_of(&self, method: &Method, target: &Target) -> Option<&'static [&'static str]> {
        if let Some(procedure) = self.procedure_at(method, target) {
            return Some(self.commanders_by(procedure));
        }
        (!matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)).then_some(self.commanders)
    }

    /// The roles that may call it, beside operators.
    pub(crate) fn commanders_by(&self, procedure: &Procedure) -> &'static [&'static str] {
        if procedure.internal { &[] } else { self.commanders }
    }

    /// A segment that is a procedure's name means the procedure.
    pub(super) fn named(&self, target: Target) -> Target {
        if let Target::Item(name) = &target
            && let Some(named) = self.procedures.iter().find(|procedure| procedure.name == name)
        {
            return Target::Procedure(named.name.to_owned());
        }
        target
    }

    /// An item under its own key, when it was asked for under another.
    async fn resolved(&self, target: Target) -> Result<Target, Problem> {
        let (Target::Item(asked), Some(resolve), Some(source)) = (&target, &self.resolve, &self.source) else {
            return Ok(target);
        };
        if source.item(asked).await?.0.is_some() {
            return Ok(target);
        }
        Ok(resolve(asked.clone()).await?.map_or(target, Target::Item))
    }

    /// Whether this resource has such a target.
    fn offers(&self, target: &Target) -> bool {
        match target {
            Target::Procedure(_) | Target::Collection => true,
            Target::Item(_) => self.source.is_some(),
            Target::Search => self.source.is_some() && !self.finders.is_empty(),
            Target::Finder(name) => self.source.is_some() && self.finder_named(name).is_some(),
        }
    }

    /// The methods that `target`, which is offered, has.
    fn methods(&self, target: &Target) -> String {
        let is_read = self.source.is_some() && !matches!(target, Target::Procedure(_));
        let mut methods = if is_read { vec!["GET", "HEAD"] } else { Vec::new() };
        match target {
            Target::Collection => {
                let posts = self.create.is_some() || self.procedure_at(&Method::POST, target).is_some();
                methods.extend(posts.then_some("POST"));
            }
            Target::Item(_) => {
                methods.extend(self.replace.as_ref().map(|_| "PUT"));
                methods.extend(self.merge.as_ref().map(|_| "PATCH"));
                methods.extend(self.remove.as_ref().map(|_| "DELETE"));
            }
            Target::Procedure(name) => {
                let named = self.procedures.iter().filter(|procedure| procedure.name == name);
                methods.extend(named.map(|procedure| procedure.method.as_str()));
            }
            Target::Search | Target::Finder(_) => {}
        }
        methods.push("OPTIONS");
        methods.join(", ")
    }

    fn action(&self, method: &Method, target: &Target) -> Option<&Action> {
        match (method.as_str(), target) {
            ("POST", Target::Collection) => self.create.as_ref(),
            ("PUT", Target::Item(_)) => self.replace.as_ref(),
            ("PATCH", Target::Item(_)) => self.merge.as_ref(),
            ("DELETE", Target::Item(_)) => self.remove.as_ref(),
            _ => None,
        }
    }

    fn procedure_at(&self, method: &Method, target: &Target) -> Option<&Procedure> {
        let name = match target {
            Target::Collection => "",
            Target::Procedure(name) => name,
            Target::Item(_) | Target::Search | Target::Finder(_) => return None,
        };
        self.procedures.iter().find(|procedure| procedure.name == name && procedure.method == *method)
    }
}
