//! Warnings of what is well formed and means something else than its writer meant.

use crate::config::report::{At, Report, quoted};
use crate::template::ClaimRef;
use crate::uri::HttpUri;

/// The registered methods (IANA, HTTP Method Registry), and two more that servers support.
const METHODS: &str = "\
    ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT CONNECT COPY DELETE GET HEAD LABEL LINK LOCK \
    MERGE MKACTIVITY MKCALENDAR MKCOL MKREDIRECTREF MKWORKSPACE MOVE OPTIONS ORDERPATCH \
    PATCH POST PRI PROPFIND PROPPATCH PURGE PUT QUERY REBIND REPORT SEARCH TRACE TRACK \
    UNBIND UNCHECKOUT UNLINK UNLOCK UPDATE UPDATEREDIRECTREF VERSION-CONTROL";

/// Texts that are compared byte for byte with a claim, such as `issuers`: what no claim equals.
/// `any`: the word that takes the place of the list where there is one.
#[inline(never)]
pub(super) fn compared(list: &[String], any: bool, at: &At, report: &mut Report) {
    for (index, text) in list.iter().enumerate() {
        let at = at.index(index);
        if text.contains('*') {
            let all = if any { "; allowed for all: the word any in place of the list" } else { "" };
            report.problem(
                &at,
                format_args!(
                    "{} holds a *, which is no wildcard: it is compared byte for byte{all}",
                    quoted(text)
                ),
            );
        } else if any && text == "any" {
            report.warning(
                &at,
                "is the text any, which a token would have to hold; the word that admits all stands \
                 in place of the list",
            );
        } else if text.contains(char::is_whitespace) {
            report.warning(&at, "holds white space, which is compared, too");
        }
    }
}

/// Issuers that are known to write `iss` in another form.
#[inline(never)]
pub(super) fn issuer(text: &str, at: &At, report: &mut Report) {
    let Some((_, rest)) = text.split_once("://") else { return };
    let (host, path) = match rest.split_once('/') {
        Some((host, path)) => (host, Some(path)),
        None => (rest, None),
    };
    let ends = text.ends_with('/');
    let meant = match host {
        _ if text.contains("/.well-known/") => {
            Some("is the address of a document; the issuer is what stands before /.well-known/")
        }
        "sts.windows.net" if !ends => Some("lacks the / at its end, which these tokens have"),
        "login.microsoftonline.com" if !path.is_some_and(|path| path.ends_with("/v2.0")) => {
            Some("does not end with /v2.0, as these tokens do; v1.0 tokens have sts.windows.net")
        }
        "accounts.google.com" if path.is_some() => {
            Some("is not https://accounts.google.com, which these tokens have")
        }
        _ if host.ends_with(".auth0.com") && !ends => {
            Some("lacks the / at its end, which these tokens have")
        }
        _ => None,
    };
    if let Some(meant) = meant {
        report.warning(at, format_args!("{} {meant}: no token would match", quoted(text)));
    }
}

/// A path that looks like a pattern of another language.
#[inline(never)]
pub(super) fn path(text: &str, at: &At, report: &mut Report) {
    let regex = ['[', ']', '(', ')', '|', '^', '$', '\\'];
    let parameter = |segment: &str| {
        let braces = segment.contains(['{', '}', '<', '>']);
        braces || (segment.starts_with(':') && segment.len() > 1)
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
            "{} {what}, and is compared as it stands; * is one segment or a part of one, a last ** \
             any rest",
            quoted(text)
        ),
    );
}

/// A method that nobody has heard of.
#[inline(never)]
pub(super) fn method(text: &str, at: &At, report: &mut Report) {
    if METHODS.split(' ').any(|known| known == text) {
        return;
    }
    let like = METHODS.split(' ').find(|known| is_slip(known, text));
    let meant = like.map(|known| format!("; {known} is one")).unwrap_or_default();
    report.warning(at, format_args!("{} is not a registered method{meant}", quoted(text)));
}

/// Whether a text is a word with its letters in another order, or with one too many, missing or
/// wrong.
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

/// A template that is written as another language writes it.
#[inline(never)]
pub(super) fn template(text: &str, at: &At, report: &mut Report) {
    if text.contains("${") {
        report.warning(
            at,
            format_args!(
                "{} puts a $ before each value; a part is written {{claim}}",
                quoted(text)
            ),
        );
    }
}

/// A name with dots, which is one name: many mean a claim inside of others.
#[inline(never)]
pub(super) fn claim(claim: &ClaimRef, at: &At, report: &mut Report) {
    let ClaimRef::Name(name) = claim else { return };
    // Names that are URLs or of a host are made to be unique (RFC 7519 §4.2).
    if !name.contains('.') || name.contains([':', '/']) {
        return;
    }
    let inside = name.trim_start_matches("$.").replace('.', "/");
    report.warning(
        at,
        format_args!(
            "{} is the name of one claim with a dot in it; a claim inside of others is written \
             {}, and one with this very name /{name}",
            quoted(name),
            quoted(&format!("/{inside}")),
        ),
    );
}

/// Keys that anybody on the way may replace.
#[inline(never)]
pub(super) fn fetched(uri: &HttpUri, at: &At, report: &mut Report) {
    let host = uri.authority.rsplit_once(':').map_or(uri.authority.as_str(), |(host, _)| host);
    let host = if uri.authority.ends_with(']') { uri.authority.as_str() } else { host };
    let loopback = matches!(host, "localhost" | "[::1]") || host.starts_with("127.");
    if uri.scheme == "http" && !loopback {
        report.warning(
            at,
            "is http: where the cluster does not encrypt (mutual TLS of a mesh), whoever sits on the \
             way can hand out keys of his own",
        );
    }
}
