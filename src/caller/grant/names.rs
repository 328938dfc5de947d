//! The names in the claims that grants compare.

use crate::verify::claims::Claims;
use crate::verify::json::Json;

/// The names in a claim: a string is one name, an array of strings is a list of names. Any other value,
/// including an array with other items, has no names.
pub(super) fn names(claim: Option<Json<'_>>) -> Vec<&str> {
    let items = claim.and_then(|claim| claim.items()?.map(Json::as_str).collect());
    items.or_else(|| Some(vec![claim?.as_str()?])).unwrap_or_default()
}

/// The names in `scp` or `scope`, which separate names by spaces (RFC 8693 §4.2). No other claim
/// does: `Not Admins` is one group.
pub(super) fn scope_names(claim: Option<Json<'_>>) -> Vec<&str> {
    match claim.and_then(Json::as_str) {
        Some(text) => text.split(' ').filter(|word| !word.is_empty()).collect(),
        None => names(claim),
    }
}

/// Whether the token states that its groups were omitted (Entra "groups overage claim").
pub(super) fn groups_left_out(claims: &Claims) -> bool {
    let named = claims.member("_claim_names").is_some_and(|names| names.get("groups").is_some());
    let has = claims.member("hasgroups").is_some_and(|has| {
        has.as_bool() == Some(true) || has.as_str().is_some_and(|t| t.eq_ignore_ascii_case("true"))
    });
    named || has
}
