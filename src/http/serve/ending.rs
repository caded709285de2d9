//! A body that ends when its connection is to go.

use std::{
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll},
};

use futures::future::BoxFuture;
use hyper::body::{Body, Frame, SizeHint};

/// Ends early once `leaving` is there, between two frames; without it never.
pub(super) struct Ending<B> {
    body: B,
    leaving: Option<Mutex<BoxFuture<'static, ()>>>,
}

impl<B> Ending<B> {
    pub(super) fn new(body: B, leaving: Option<BoxFuture<'static, ()>>) -> Self {
        Self { body, leaving: leaving.map(Mutex::new) }
    }
}

impl<B: Body + Unpin> Body for Ending<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        if let Some(leaving) = &mut self.leaving
            && leaving.get_mut().unwrap_or_else(PoisonError::into_inner).as_mut().poll(context).is_ready()
        {
            return Poll::Ready(None);
        }
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
