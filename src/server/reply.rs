//! Answers of HTTP, ready made.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{self, HeaderValue};
use hyper::{Response, StatusCode};

use crate::delivery::Lines;

/// An answer.
pub(super) type Reply = Response<Content>;

/// What stands in an answer.
pub(super) enum Content {
    /// All of it.
    Whole(Full<Bytes>),
    /// Line by line, until the other end is dropped.
    Lines(Lines),
}

impl Default for Content {
    fn default() -> Self {
        Self::Whole(Full::default())
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut *self {
            Self::Whole(whole) => Pin::new(whole).poll_frame(context),
            Self::Lines(lines) => lines.poll(context).map(|line| line.map(|line| Ok(Frame::data(line)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(whole) => whole.is_end_stream(),
            Self::Lines(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(whole) => whole.size_hint(),
            Self::Lines(_) => SizeHint::default(),
        }
    }
}

/// A text for a person.
pub(super) fn plain(status: StatusCode, text: impl Into<Bytes>) -> Reply {
    of_type("text/plain; charset=utf-8", status, text)
}

/// A text that is JSON.
pub(super) fn json(status: StatusCode, text: impl Into<Bytes>) -> Reply {
    of_type("application/json", status, text)
}

/// A text of some type.
pub(super) fn of_type(kind: &'static str, status: StatusCode, text: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Content::Whole(Full::new(text.into())));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    reply
}

/// There is nothing at this path.
pub(super) fn nothing() -> Reply {
    plain(StatusCode::NOT_FOUND, "there is nothing here\n")
}

/// Only these methods are answered at this path.
pub(super) fn only(methods: &'static str) -> Reply {
    let mut reply = plain(StatusCode::METHOD_NOT_ALLOWED, format!("expected {methods}\n"));
    reply.headers_mut().insert(header::ALLOW, HeaderValue::from_static(methods));
    reply
}

/// A refusal that may be tried again.
pub(super) fn later(status: StatusCode, text: &'static str) -> Reply {
    let mut reply = plain(status, text);
    reply.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    reply.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    reply
}
