//! Templates and references to claims.

use super::super::hints;
use crate::config::report::{At, Report, quoted};
use crate::template::{ClaimRef, Part, Template};

/// A template.
#[inline(never)]
pub(in crate::config::compile) fn template(
    text: &str,
    at: &At,
    report: &mut Report,
) -> Option<Template> {
    match Template::parse(text) {
        Ok(template) => {
            hints::template(text, at, report);
            for part in template.parts() {
                if let Part::Claim(claim) = part {
                    hints::claim(claim, at, report);
                }
            }
            Some(template)
        }
        Err(error) => {
            report.problem(at, format_args!("{} {error}", quoted(text)));
            None
        }
    }
}

/// A required reference to a claim.
#[inline(never)]
pub(in crate::config::compile) fn claim(
    text: Option<&str>,
    at: &At,
    report: &mut Report,
) -> Option<ClaimRef> {
    let Some(text) = text else {
        report.required(at, "a claim name, or a JSON Pointer that begins with /");
        return None;
    };
    match ClaimRef::parse(text) {
        Ok(claim) => {
            hints::claim(&claim, at, report);
            Some(claim)
        }
        Err(error) => {
            report.problem(at, format_args!("{} {error}", quoted(text)));
            None
        }
    }
}

/// A JSON Pointer (RFC 6901).
#[inline(never)]
pub(in crate::config::compile) fn pointer(
    text: &str,
    at: &At,
    report: &mut Report,
) -> Option<ClaimRef> {
    if text.starts_with('/') {
        return claim(Some(text), at, report);
    }
    report.problem(
        at,
        format_args!("{} is not a JSON Pointer, which begins with /; write /{text}", quoted(text)),
    );
    None
}
