//! Reads whole tokens where the table would read byte by byte.
//!
//! It leaves to the table what the end of the piece cuts, what is wrong, and what the watch must know of: so all
//! verdicts are the table's. A token that is left is read again, which at most doubles the work.

use super::grammar::is_complete;
use super::numbers::{is_row, numbers};
use super::state::{self, State};
use super::token::{Names, after, literal, name, number, space, spaces, string};

/// The innermost watched container.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Around {
    /// The number of open containers with it.
    pub(super) depth: usize,
    /// The names in it that the watch must know of.
    pub(super) names: Names,
    /// Arrays, objects in it are read.
    pub(super) arrays: bool,
    pub(super) objects: bool,
    /// The names that the watch must know of in its objects.
    pub(super) inner: Names,
    /// Its members or elements need a report: nothing in it is read.
    pub(super) closed: bool,
}

/// What was read in the innermost watched container.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Read {
    /// Commas of an array or names of an object.
    pub(super) count: u64,
    pub(super) arrays: u64,
    pub(super) objects: u64,
}

/// A place between two tokens.
#[derive(Clone, Copy, Debug)]
pub(super) struct At<'a> {
    pub(super) state: State,
    pub(super) depth: usize,
    pub(super) rest: &'a [u8],
}

/// The bracket that closes an object or an array.
const fn closing(object: bool) -> u8 {
    if object { b'}' } else { b']' }
}

/// Reads tokens from a place on. `open` tells of each open container whether it is an object.
#[inline(never)]
pub(super) fn tokens<'a>(start: At<'a>, around: &Around, open: &mut [bool]) -> (At<'a>, Read) {
    let is_object = |open: &[bool], depth: usize| {
        depth.checked_sub(1).and_then(|outer| open.get(outer)).copied().unwrap_or_default()
    };
    let mut read = Read::default();
    let mut depth = start.depth;
    let mut object = is_object(open, depth);
    let mut names = if depth == around.depth { around.names } else { Names::NONE };
    let mut rest = spaces(start.rest);
    match (start.state, rest) {
        (state::AFTER_VALUE, [b',', after @ ..]) => {
            read.count = u64::from(!object && depth == around.depth);
            rest = after;
        }
        (state::FIRST_ELEMENT | state::FIRST_MEMBER, [] | [b']' | b'}', ..]) => {
            return (start, read);
        }
        (state::VALUE, _) if object => return (start, read),
        (state::VALUE..=state::FIRST_MEMBER, _) => {}
        _ => return (start, read),
    }
    // The place of an object that must be read from its start if the watch must know of a name in it.
    let mut object_at = None;
    let state = 'stop: loop {
        if object {
            let Some(inside) = after(rest, b'"') else { break state::MEMBER };
            match name(inside, names) {
                Ok(end) => rest = end,
                Err(Some(inside)) => {
                    read.count += u64::from(depth == around.depth);
                    rest = inside;
                    break state::NAME;
                }
                Err(None) => break state::MEMBER,
            }
            read.count += u64::from(depth == around.depth);
            let Some(value) = after(rest, b':') else { break state::COLON };
            rest = value;
        }
        if let [0..=b' ', ..] = rest {
            rest = space(rest);
        }
        let [byte, inside @ ..] = rest else { break state::VALUE };
        match byte {
            b'"' => match string(inside) {
                Ok(after) => rest = after,
                Err(inside) => {
                    rest = inside;
                    break state::STRING;
                }
            },
            b'-' | b'0'..=b'9' if !object && is_row(rest) => {
                let (length, state, commas) = numbers(rest);
                if depth == around.depth {
                    read.count += commas;
                }
                rest = rest.get(length..).unwrap_or_default();
                match state {
                    state::VALUE => continue,
                    _ if is_complete(state) && !rest.is_empty() => {}
                    _ => break state,
                }
            }
            b'-' | b'0'..=b'9' => {
                let Some(after) = number(rest) else { break state::VALUE };
                rest = after;
            }
            b'{' | b'[' => {
                let opens = *byte == b'{';
                let allowed = if opens { around.objects } else { around.arrays };
                let place = open.get_mut(depth).filter(|_| allowed || depth > around.depth);
                let Some(place) = place else { break state::VALUE };
                *place = opens;
                names = Names::NONE;
                if depth == around.depth {
                    read.arrays += u64::from(!opens);
                    read.objects += u64::from(opens);
                    object_at = None;
                    if opens && around.inner != Names::NONE {
                        names = around.inner;
                        object_at = Some(rest);
                    }
                }
                depth = depth.wrapping_add(1);
                object = opens;
                rest = if let [0..=b' ', ..] = inside { spaces(inside) } else { inside };
                match rest {
                    [byte, ..] if *byte == closing(object) => {}
                    [] => break if object { state::FIRST_MEMBER } else { state::FIRST_ELEMENT },
                    _ => continue,
                }
            }
            _ => {
                let Some(after) = literal(rest) else { break state::VALUE };
                rest = after;
            }
        }
        loop {
            let [byte, inside @ ..] = rest else { break 'stop state::AFTER_VALUE };
            if *byte == b',' {
                read.count += u64::from(!object && depth == around.depth);
                rest = inside;
                break;
            }
            if *byte != closing(object) || depth == around.depth {
                let next = spaces(rest);
                if next.len() == rest.len() {
                    break 'stop state::AFTER_VALUE;
                }
                rest = next;
                continue;
            }
            depth = depth.wrapping_sub(1);
            object = is_object(open, depth);
            rest = inside;
            if depth == around.depth {
                if around.closed {
                    break 'stop state::AFTER_VALUE;
                }
                names = around.names;
                object_at = None;
            } else if depth == around.depth.wrapping_add(1) && object_at.is_some() {
                names = around.inner;
            }
        }
    };
    if let Some(rest) = object_at {
        read.objects = read.objects.wrapping_sub(1);
        return (At { state: state::VALUE, depth: around.depth, rest }, read);
    }
    (At { state, depth, rest }, read)
}
