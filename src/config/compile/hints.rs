//! Warnings about valid values that probably do not mean what their author intended.

use crate::config::report::{At, Report, quoted};
use crate::template::{ClaimRef, escape};
use crate::uri::HttpUri;

/// The registered methods (IANA, HTTP Method Registry), and two more that servers support.
const METHODS: &str = "\
    ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT CONNECT COPY DELETE GET HEAD LABEL LINK LOCK \
    MERGE MKACTIVITY MKCALENDAR MKCOL MKREDIRECTREF MKWORKSPACE MOVE OPTIONS ORDERPATCH \
    PATCH POST PRI PROPFIND PROPPATCH PURGE PUT QUERY REBIND REPORT SEARCH TRACE TRACK \
    UNBIND UNCHECKOUT UNLINK UNLOCK UPDATE UPDATEREDIRECTREF VERSION-CONTROL";

/// Texts that are compared byte for byte with a claim, such as `issuers`, and that no claim equals. `any`:
/// whether the word `any` can replace the list.
#[inline(never)]
pub(super) fn compared(list: &[String], any: bool, at: &At, report: &mut Report) {
    for (index, text) in list.iter().enumerate() {
        let at = at.index(index);
        if text.contains('*') {
            let all = if any {
                "; write each text in full, or the word any instead of the list"
            } else {
                "; write the whole text"
            };
            report.problem(
                &at,
                format_args!("{} contains a *, which is not a wildcard{all}", quoted(text)),
            );
        } else if any && text == "any" {
            report.warning(
                &at,
                "is the text any, which the token would have to contain; to accept all values, write the word any instead of the list",
            );
        } else if text.contains(char::is_whitespace) {
            report.warning(
                &at,
                "contains white space, which the token would have to contain; remove it",
            );
        }
    }
}

/// Issuers whose tokens have another `iss`.
#[inline(never)]
pub(super) fn issuer(text: &str, at: &At, report: &mut Report) {
    let Some((_, rest)) = text.split_once("://") else { return };
    let (host, path) = match rest.split_once('/') {
        Some((host, path)) => (host, Some(path)),
        None => (rest, None),
    };
    let ends = text.ends_with('/');
    let write = match host {
        _ if text.contains("/.well-known/") => {
            "the issuer that this document names, often the part before /.well-known/"
        }
        "sts.windows.net" if !ends => "it with a / at the end",
        "login.microsoftonline.com" if !path.is_some_and(|path| path.ends_with("/v2.0")) => {
            "it with /v2.0 at the end, or https://sts.windows.net/TENANT/ for v1.0 tokens"
        }
        "accounts.google.com" if path.is_some() => "https://accounts.google.com",
        _ if host.ends_with(".auth0.com") && !ends => "it with a / at the end",
        _ => return,
    };
    let text = quoted(text);
    report.warning(at, format_args!("no token has the issuer {text}; write {write}"));
}

/// Audiences whose tokens only Microsoft Graph can verify: with them, every token is `signature_invalid`.
#[inline(never)]
pub(super) fn audiences(list: &[String], at: &At, report: &mut Report) {
    const GRAPH: [&str; 3] = [
        "https://graph.microsoft.com",
        "https://graph.microsoft.com/",
        "00000003-0000-0000-c000-000000000000",
    ];
    if let Some(index) = list.iter().position(|text| GRAPH.contains(&text.as_str())) {
        report.warning(
            &at.index(index),
            "is Microsoft Graph, whose tokens only Graph can verify; write the application ID of your own API",
        );
    }
}

/// A path in the pattern syntax of another product.
#[inline(never)]
pub(super) fn path(text: &str, at: &At, report: &mut Report) {
    let regex = ['[', ']', '(', ')', '|', '^', '$', '\\'];
    let parameter = |segment: &str| {
        segment.contains(['<', '>']) || (segment.starts_with(':') && segment.len() > 1)
    };
    let what = if text.contains(regex) || text.contains(".*") || text.contains(".+") {
        "looks like a regular expression"
    } else if text.split('/').any(parameter) {
        "looks like it has a parameter"
    } else {
        return;
    };
    report.warning(
        at,
        format_args!(
            "{} {what}, but is compared literally; write * or {{name}} for one segment or a part of one, and ** at the end for any rest",
            quoted(text)
        ),
    );
}

/// A method that is not registered.
#[inline(never)]
pub(super) fn method(text: &str, at: &At, report: &mut Report) {
    if METHODS.split(' ').any(|known| known == text) {
        return;
    }
    let like = METHODS.split(' ').find(|known| is_slip(known, text));
    let meant = like.map(|known| format!("; did you mean {known}?")).unwrap_or_default();
    report.warning(at, format_args!("{} is not a registered method{meant}", quoted(text)));
}

/// Whether a text has the letters of the word in another order, or one letter added, missing or wrong.
fn is_slip(word: &str, text: &str) -> bool {
    let (word, text) = (word.as_bytes(), text.as_bytes());
    if word.len().abs_diff(text.len()) > 1 {
        return false;
    }
    let count = |bytes: &[u8], byte: &u8| bytes.iter().filter(|found| *found == byte).count();
    let head = word.iter().zip(text).take_while(|(a, b)| a == b).count();
    let tail = word.iter().rev().zip(text.iter().rev()).take_while(|(a, b)| a == b).count();
    head.saturating_add(tail).saturating_add(1) >= word.len().max(text.len())
        || text.iter().all(|byte| count(word, byte) == count(text, byte))
}

/// A template in the syntax of another product.
#[inline(never)]
pub(super) fn template(text: &str, at: &At, report: &mut Report) {
    if text.contains("${") {
        report.warning(
            at,
            format_args!(
                "{} adds a $ before each value; a claim is written {{claim}}",
                quoted(text)
            ),
        );
    }
}

/// A name with dots or slashes, which is a single name but often means a nested claim.
#[inline(never)]
pub(super) fn claim(claim: &ClaimRef, at: &At, report: &mut Report) {
    let ClaimRef::Name(name) = claim else { return };
    // Names that are URLs contain dots and slashes to be unique (RFC 7519 §4.2).
    if !name.contains(['.', '/']) || name.contains(':') {
        return;
    }
    // A dot beside slashes belongs to a name, as in kubernetes.io/namespace.
    let (sign, inside) = match name.contains('/') {
        true => ("slash", name.to_string()),
        false => ("dot", name.trim_start_matches("$.").replace('.', "/")),
    };
    report.warning(
        at,
        format_args!(
            "{} is the name of a single claim with a {sign}; a nested claim is written {}, a claim with exactly this name /{}",
            quoted(name),
            quoted(&format!("/{inside}")),
            escape(name),
        ),
    );
}

/// Keys that an attacker on the network can replace.
#[inline(never)]
pub(super) fn fetched(uri: &HttpUri, at: &At, report: &mut Report) {
    let host = uri.authority.rsplit_once(':').map_or(uri.authority.as_str(), |(host, _)| host);
    let host = if uri.authority.ends_with(']') { uri.authority.as_str() } else { host };
    let loopback = matches!(host, "localhost" | "[::1]") || host.starts_with("127.");
    if uri.scheme == "http" && !loopback {
        report.warning(
            at,
            "is http: an attacker on the network can replace the keys; write https, unless the cluster encrypts (mutual TLS of a mesh)",
        );
    }
}
