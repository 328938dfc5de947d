//! `providers[].identity`.

use super::read;
use crate::config::report::{At, Report, quoted};
use crate::config::schema::RawProvider;
use crate::template::{Part, Template};

/// `identity` of `preset: entra`.
const ENTRA: [&str; 4] = ["{tid}/{oid}", "{tid}/{azp}", "{tid}/{appid}", "{iss}/{sub}"];

/// `identity` without a preset.
const DEFAULT: [&str; 1] = ["{iss}/{sub}"];

/// Compiles the templates. An identity uses only verified claims, is the same for every request with a
/// token, and distinguishes callers.
pub(super) fn templates(
    raw: &RawProvider,
    entra: bool,
    at: &At,
    report: &mut Report,
) -> Vec<Template> {
    let Some(list) = &raw.identity else {
        let default: &[&str] = if entra { &ENTRA } else { &DEFAULT };
        return default.iter().filter_map(|text| read::template(text, at, report)).collect();
    };
    if list.is_empty() {
        read::texts(list, at, report);
    }
    let mut templates = Vec::new();
    for (index, text) in list.iter().enumerate() {
        let at = at.index(index);
        let Some(template) = read::template(text, &at, report) else { continue };
        let foreign =
            |part: &Part| !matches!(part, Part::Text(_) | Part::Claim(_) | Part::Provider);
        if template.parts().iter().any(foreign) {
            report.problem(
                &at,
                format_args!(
                    "{} uses more than the token; allowed: claims and {{@provider}}",
                    quoted(text)
                ),
            );
        } else if !template.parts().iter().any(|part| matches!(part, Part::Claim(_))) {
            report.problem(
                &at,
                format_args!("{} has no claim: all callers would have one identity", quoted(text)),
            );
        } else if !template.is_separable() {
            report.problem(
                &at,
                format_args!(
                    "{} has two parts without a separator: two callers could have one identity; allowed: a \
                     text such as / between them",
                    quoted(text)
                ),
            );
        }
        templates.push(template);
    }
    templates
}
