//! The ways in which servers read one path.

use std::borrow::Cow;

use crate::request::path;

/// The other readings of a path. There are at most six, however long the path is.
pub(super) struct Paths<'a> {
    pub(super) others: Vec<OtherPath<'a>>,
    /// Whether the path has an encoded slash.
    pub(super) encoded_slash: bool,
}

/// A path as some servers read it.
pub(super) struct OtherPath<'a> {
    pub(super) path: Cow<'a, [u8]>,
    /// Whether escapes of unreserved characters are decoded before it is compared.
    pub(super) decoded: bool,
    pub(super) why: Why,
}

/// What such a server does to the path.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// It compares escapes as they are.
    Raw,
    /// It removes parameters.
    Parameters,
    /// It decodes encoded slashes.
    Slashes,
}

impl<'a> Paths<'a> {
    /// The readings of a path; none for one without `%` and `;`.
    pub(super) fn of(path: Option<&'a [u8]>) -> Self {
        let mut paths = Self { others: Vec::new(), encoded_slash: false };
        let Some(path) = path.filter(|path| path.iter().any(|byte| matches!(byte, b'%' | b';')))
        else {
            return paths;
        };
        if path.contains(&b'%') {
            paths.add(Cow::Borrowed(path), false, Why::Raw);
        }
        paths.cut(path, Why::Parameters);
        if let Some(read) = path::with_slashes(path) {
            paths.encoded_slash = true;
            paths.cut(&read, Why::Slashes);
            paths.add(Cow::Owned(read), true, Why::Slashes);
        }
        paths
    }

    /// Adds the path without its parameters: removed from each segment, and cut at the first one.
    fn cut(&mut self, path: &[u8], why: Why) {
        if let Some(bare) = path::without_parameters(path) {
            self.add(Cow::Owned(bare), true, why);
        }
        if let Some(before) = path::before_parameters(path) {
            self.add(Cow::Owned(before.to_vec()), true, why);
        }
    }

    fn add(&mut self, path: Cow<'a, [u8]>, decoded: bool, why: Why) {
        self.others.push(OtherPath { path, decoded, why });
    }
}
