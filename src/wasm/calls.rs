//! In-flight calls from JavaScript.

use std::cell::RefCell;
use std::task::Poll;

use futures::StreamExt;
use futures::future::LocalBoxFuture;
use futures::stream::FuturesUnordered;
use js_sys::Array;
use wasm_bindgen::JsValue;

use crate::runtime::{Slice, Slices};

/// A finished call: its number, and its value or error.
type Ended = (u32, Result<JsValue, JsValue>);

/// There is more work to do now.
const BUSY: u32 = 1;
/// All calls wait for an event from outside.
const WAITS: u32 = 2;
/// No call is left.
const NONE: u32 = 0;

/// All calls of an engine. JavaScript runs the calls with [`turn`](Calls::turn) and takes their results, so that a trap
/// in any call is an exception that JavaScript catches.
#[derive(Default)]
pub struct Calls {
    begun: RefCell<Vec<LocalBoxFuture<'static, Ended>>>,
    running: RefCell<FuturesUnordered<LocalBoxFuture<'static, Ended>>>,
    slices: Slices,
}

impl Calls {
    /// Begins a call, which runs in [`turn`](Self::turn).
    pub fn begin(
        &self,
        number: u32,
        work: impl Future<Output = Result<JsValue, JsValue>> + 'static,
    ) {
        let call = Box::pin(async move { (number, work.await) });
        self.begun.borrow_mut().push(call);
    }

    /// Runs the calls for a slice of time. Returns the next step ([`BUSY`], [`WAITS`] or [`NONE`]), and then for each
    /// call that ended its number, whether it succeeded, and its value or error.
    pub fn turn(&self) -> Array {
        let mut running = self.running.borrow_mut();
        running.extend(self.begun.borrow_mut().drain(..));
        let ended = Array::of1(&NONE.into());
        let work = futures::future::poll_fn(|cx| {
            while let Poll::Ready(Some((number, outcome))) = running.poll_next_unpin(cx) {
                ended.push(&number.into());
                ended.push(&outcome.is_ok().into());
                ended.push(&outcome.unwrap_or_else(|error| error));
            }
            match ended.length() == 1 && !running.is_empty() {
                true => Poll::Pending,
                false => Poll::Ready(()),
            }
        });
        let next = match self.slices.work(std::pin::pin!(work)) {
            Slice::Waits => WAITS,
            Slice::Busy => BUSY,
            Slice::Done(()) if running.is_empty() && self.begun.borrow().is_empty() => NONE,
            Slice::Done(()) => BUSY,
        };
        ended.set(0, next.into());
        ended
    }
}
