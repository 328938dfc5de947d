//! The contexts of a VM by the numbers that the host gave them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::http::Http;
use super::root::Root;

thread_local! {
    static ROOTS: RefCell<HashMap<u32, Rc<Root>>> = RefCell::default();
    static STREAMS: RefCell<HashMap<u32, Rc<Http>>> = RefCell::default();
}

/// Makes the context of a configuration (`root` is 0) or of a stream. A number that is in use keeps
/// its context, and a stream of no configuration gets none.
pub fn create(context: u32, root: u32) {
    if root == 0 {
        ROOTS.with_borrow_mut(|roots| {
            roots.entry(context).or_default();
        });
    } else if let Some(http) = self::root(root, |root| root.open(context)).flatten() {
        STREAMS.with_borrow_mut(|streams| {
            streams.entry(context).or_insert_with(|| Rc::new(http));
        });
    }
}

/// Drops a context.
pub fn delete(context: u32) {
    // What it does at its end may call the host: no borrow is held meanwhile.
    let stream = STREAMS.with_borrow_mut(|streams| streams.remove(&context));
    if stream.is_none() {
        let _root = ROOTS.with_borrow_mut(|roots| roots.remove(&context));
    }
}

/// Does something with the context of a configuration, if there is one.
pub fn root<T>(context: u32, with: impl FnOnce(&Root) -> T) -> Option<T> {
    let root = ROOTS.with_borrow(|roots| roots.get(&context).cloned());
    root.map(|root| with(&root))
}

/// Does something with the context of a stream, if there is one.
pub fn stream<T>(context: u32, with: impl FnOnce(&Http) -> T) -> Option<T> {
    let stream = STREAMS.with_borrow(|streams| streams.get(&context).cloned());
    stream.map(|stream| with(&stream))
}
