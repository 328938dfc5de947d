//! What responses cost: read while they pass, charged when they end.

use std::cell::RefCell;
use std::rc::Rc;

use proxy_wasm::types::{BufferType, MapType};

use super::body::PIECE;
use super::host::{self, HostError};
use super::http::Stream;
use super::telemetry::write_state;
use super::worker::State;
use crate::body;
use crate::body::json::pointers::Pointers;
use crate::body::meter::ResponseMeter;
use crate::limit::plan::Planned;
use crate::limit::{self, Counters};
use crate::policy::FilterState;
use crate::policy::rule::Rule;
use crate::request::headers::Headers;

/// What the response to one request is charged.
#[derive(Default)]
pub struct Bill {
    charges: Vec<Planned>,
    /// Reads the number of each charge, in their order; none where the response cannot be read.
    meters: Vec<ResponseMeter>,
    /// The number of each charge, once the response has ended.
    found: Option<Vec<Option<u64>>>,
}

impl Bill {
    /// What the response will be charged.
    pub fn new(charges: Vec<Planned>) -> Self {
        Self { charges, ..Self::default() }
    }

    /// Whether nothing is charged.
    pub fn is_empty(&self) -> bool {
        self.charges.is_empty()
    }
}

impl State {
    /// Takes the caller's `accept-encoding` from a request whose response is charged: of a coded one
    /// the number cannot be read.
    ///
    /// # Errors
    /// The host's status.
    pub fn ask_for_identity(&self, rule: &Rule, headers: &Headers) -> Result<(), HostError> {
        if rule.limits.iter().all(|limit| limit.response_cost.is_none()) {
            return Ok(());
        }
        let mut spellings = headers.spellings("accept-encoding");
        spellings.try_for_each(|(name, _)| host::header_remove(MapType::HttpRequestHeaders, name))
    }

    /// Prepares to read what the response to a request costs that is charged by it.
    pub fn begin_metering(&self, stream: &RefCell<Stream>) {
        let unread = |bill: &Bill| !bill.is_empty() && bill.meters.is_empty();
        if !unread(&stream.borrow().bill) {
            return;
        }
        let headers = Headers::from_buffer(host::header_pairs(MapType::HttpResponseHeaders));
        if body::coded(&headers) {
            return;
        }
        let content_type = headers.value("content-type").unwrap_or_default();
        let meter = |charge: &Planned| Some(ResponseMeter::new(pointers(charge)?, content_type));
        let meters = stream.borrow().bill.charges.iter().filter_map(meter).collect();
        stream.borrow_mut().bill.meters = meters;
    }

    /// Reads the piece of the response that the host is about to pass on: it holds no more of it.
    pub fn meter(&self, stream: &RefCell<Stream>, size: usize, end: bool) {
        // Taken out meanwhile: no borrow is held across a call to the host.
        let mut bill = std::mem::take(&mut stream.borrow_mut().bill);
        let mut seen = if bill.meters.is_empty() { size } else { 0 };
        while seen < size {
            let piece = host::buffer(BufferType::HttpResponseBody, seen, (size - seen).min(PIECE));
            if piece.is_empty() {
                break;
            }
            seen += piece.len();
            for (charge, meter) in bill.charges.iter().zip(&mut bill.meters) {
                if let Some(pointers) = pointers(charge) {
                    meter.feed(pointers, &piece);
                }
            }
        }
        if end && !bill.is_empty() {
            self.read(&mut bill);
            self.tell_usage(&bill);
        }
        stream.borrow_mut().bill = bill;
    }

    /// Writes what the response costs while access logs can still read it.
    fn tell_usage(&self, bill: &Bill) {
        let off = matches!(self.policy.filter_state, FilterState::Denied | FilterState::Off);
        let found = bill.found.iter().flatten().next().copied();
        let first = bill.charges.first().filter(|_| !off);
        if let (Some(charge), Some(found)) = (first, found) {
            let cost = charge.charge(found).cost;
            write_state(b"tollgate.usage", itoa::Buffer::new().format(cost));
        }
    }

    /// The response has ended, or will not go on: its numbers are final.
    fn read(&self, bill: &mut Bill) {
        let meters = std::mem::take(&mut bill.meters);
        let read = |(charge, meter): (&Planned, ResponseMeter)| {
            pointers(charge).and_then(|pointers| meter.finish(pointers))
        };
        let mut found: Vec<_> = bill.charges.iter().zip(meters).map(read).collect();
        found.resize(bill.charges.len(), None);
        bill.found.get_or_insert(found);
    }

    /// Charges a response that has ended, or that will not go on.
    pub fn settle_bill(&self, mut bill: Bill) {
        let Some(open) = self.open_counts() else { return };
        self.read(&mut bill);
        let mut counters = Counters::default();
        for (charge, found) in bill.charges.iter().zip(bill.found.unwrap_or_default()) {
            let request = charge.charge(found);
            limit::charge(
                &open.table,
                &super::store::SharedData,
                &host::now,
                &request,
                &mut counters,
            );
            if self.policy.metrics {
                let result = if found.is_some() { "settled" } else { "missing" };
                self.metrics.limit((Rc::as_ptr(&charge.limit), result), || {
                    format!("tollgate_usage.limit.{}.result.{result}", charge.limit.name)
                });
            }
        }
        self.count_store(&counters);
    }
}

/// Where the number of a charge may stand in a response.
fn pointers(charge: &Planned) -> Option<&Pointers> {
    charge.limit.response_cost.as_ref().map(|cost| &cost.pointers)
}
