//! Who acts for the subject of a token.

use crate::verify::claims::Claims;

/// The facet of an agent in `xms_act_fct` of Entra's tokens.
const AGENT: &str = "11";

/// The acting party: `act.sub` of the outermost `act` (RFC 8693 §4.1). Without `act`, the client, if
/// `xms_act_fct` says that it is an agent (Microsoft's token claims reference for agents).
pub(crate) fn actor(claims: &Claims) -> Option<&str> {
    if let Some(act) = claims.member("act") {
        return act.get("sub")?.as_str();
    }
    let facets = claims.member("xms_act_fct")?.as_str()?;
    client(claims).filter(|_| facets.split(' ').any(|facet| facet == AGENT))
}

/// The client application: `azp` (OpenID Connect Core §2, Entra v2), `appid` (Entra v1),
/// `client_id` (RFC 9068 §2.2). The first one that is present decides, even if it is malformed.
pub(crate) fn client(claims: &Claims) -> Option<&str> {
    ["azp", "appid", "client_id"].iter().find_map(|name| claims.member(name))?.as_str()
}
