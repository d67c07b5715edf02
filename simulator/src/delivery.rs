//! Turns an answer into bytes on a connection, faithfully or as a fault bends it.
//!
//! The body is a list of steps, so that it can come slowly, stop short, or end in a reset. Nothing here
//! decides what is answered.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::{Response, StatusCode};
use tokio::time::Sleep;

use crate::http::Answer;
use crate::socket::Tear;

/// How an answer goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Whole and at once.
    Plain,
    /// Headers, then a reset.
    ResetAfterHeaders,
    /// Headers and half of the body, then the end.
    Truncated,
    /// In eight pieces, each after a pause.
    Slow(Duration),
}

/// Long enough for headers to be on their way before the connection is torn.
const FLUSH_TIME: Duration = Duration::from_millis(20);
const SLOW_PIECES: usize = 8;

#[derive(Debug)]
enum Step {
    Send(Bytes),
    Wait(Duration),
    Tear(Tear),
    Stop,
}

/// The body of an answer, step by step.
#[derive(Debug)]
pub(crate) struct Steps {
    steps: VecDeque<Step>,
    waiting: Option<Pin<Box<Sleep>>>,
    length: Option<u64>,
}

pub(crate) fn response(
    answer: Answer,
    shape: Shape,
    tear: &Tear,
) -> Result<Response<Steps>, Infallible> {
    let headers = answer.header_map();
    let length = u64::try_from(answer.body.len()).unwrap_or(u64::MAX);
    let half = answer.body.len() / 2;
    let (steps, announced) = match shape {
        Shape::Plain => (vec![Step::Send(answer.body)], Some(length)),
        Shape::ResetAfterHeaders => (
            vec![Step::Wait(FLUSH_TIME), Step::Tear(tear.clone())],
            Some(length.max(1)),
        ),
        Shape::Truncated => {
            let steps = vec![
                Step::Send(answer.body.slice(..half)),
                Step::Wait(FLUSH_TIME),
                Step::Stop,
            ];
            (steps, Some(length.max(1)))
        }
        Shape::Slow(pause) => {
            let size = answer.body.len().div_ceil(SLOW_PIECES).max(1);
            let pieces = answer.body.chunks(size).map(Bytes::copy_from_slice);
            (
                pieces
                    .flat_map(|piece| [Step::Wait(pause), Step::Send(piece)])
                    .collect(),
                None,
            )
        }
    };
    let length = announced.filter(|_| matches!(shape, Shape::Plain));
    let body = Steps {
        steps: steps.into(),
        waiting: None,
        length,
    };
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    *response.headers_mut() = headers;
    if let Some(announced) = announced {
        response
            .headers_mut()
            .insert(hyper::header::CONTENT_LENGTH, announced.into());
    }
    Ok(response)
}

impl Body for Steps {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        loop {
            if let Some(sleep) = &mut self.waiting {
                ready!(sleep.as_mut().poll(context));
                self.waiting = None;
            }
            match self.steps.pop_front() {
                None => return Poll::Ready(None),
                Some(Step::Send(bytes)) if bytes.is_empty() => {}
                Some(Step::Send(bytes)) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Some(Step::Wait(length)) => {
                    self.waiting = Some(Box::pin(tokio::time::sleep(length)))
                }
                Some(Step::Tear(tear)) => {
                    tear.pull();
                    return Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into())));
                }
                Some(Step::Stop) => {
                    return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.steps.is_empty() && self.waiting.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.length
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
