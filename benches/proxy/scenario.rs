//! The table of cases and their references.

use crate::audit::Audit;
use crate::listener::{Budget, Heads, Listener, Plugin, RATE};
use crate::lists::List;
use crate::traffic::{Algorithm, Traffic};

/// One row of the printed table.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// The title of the row; `BENCH_ONLY` selects rows by it.
    pub name: &'static str,
    /// The measured lane.
    pub lane: Lane,
    /// The reference: the cost is divided by that of this lane.
    pub against: Option<Lane>,
}

/// One kind of traffic to one listener, the unit of measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lane {
    /// The listener.
    pub listener: Listener,
    /// The requests.
    pub traffic: Traffic,
}

impl Lane {
    /// The same requests to the listener without filters; their cost is subtracted.
    pub fn bare(self) -> Self {
        // A route that answers itself does so when it has the head, and closes the connection on
        // the body: where there is one, something must wait for it.
        let listener = match self.traffic {
            Traffic::Body | Traffic::Chat => Listener::Buffered,
            _ => Listener::Bare,
        };
        Self { listener, traffic: self.traffic.shape() }
    }

    /// The only status that is no error.
    pub fn expected(self) -> u16 {
        match (self.listener, self.traffic) {
            (Listener::Bare | Listener::Buffered | Listener::EmptyWasm, _)
            | (_, Traffic::Valid(_) | Traffic::Body | Traffic::Chat | Traffic::Groups) => 200,
            (_, Traffic::NoToken | Traffic::ForgedSame | Traffic::ForgedEach) => 401,
        }
    }
}

const WARM: Plugin = Plugin {
    id: "warm",
    cached: true,
    tags: None,
    limits: 1,
    telemetry: true,
    fields: true,
    guard: None,
    rate: RATE,
    budget: None,
    list: None,
    audit: None,
    restricted: false,
    reference: false,
};
const COLD: Plugin = Plugin { id: "cold", cached: false, ..WARM };
const UNWATCHED: Plugin = Plugin { id: "unwatched", telemetry: false, ..WARM };
const SILENT: Plugin = Plugin { id: "silent", fields: false, ..UNWATCHED };
// With the audit line, written from filter state alone, and also from headers.
const AUDITED: Plugin = Plugin { id: "audited", audit: Some(Audit::State), ..WARM };
const AUTO: Plugin = Plugin { id: "auto", audit: Some(Audit::Header), ..WARM };
// The work of the native filters: one limit, and the subject in one header.
const ALIKE: Plugin = Plugin { id: "alike", tags: Some(1), ..SILENT };
const ALIKE_COLD: Plugin = Plugin { id: "alike-cold", cached: false, ..ALIKE };
// Envoy calls only the callbacks that are needed, as a raw Envoy can be configured, and Istio cannot.
const WARM_NEEDED: Plugin = Plugin { id: "warm-needed", restricted: true, ..WARM };
const ALIKE_NEEDED: Plugin = Plugin { id: "alike-needed", restricted: true, ..ALIKE };
// Refused requests have a VM of their own, so that nothing they leave there slows the warm row.
const DENYING: Plugin = Plugin { id: "denying", ..WARM };
const TAGS: [Plugin; 2] = [
    Plugin { id: "tags-1", tags: Some(1), ..WARM },
    Plugin { id: "tags-10", tags: Some(10), ..WARM },
];
const LIMITS: [Plugin; 2] =
    [Plugin { id: "limits-0", limits: 0, ..WARM }, Plugin { id: "limits-3", limits: 3, ..WARM }];
// Limits as people set them: by requests, and by what the response costs.
const TEN: Plugin = Plugin { id: "rate-10", rate: 10, ..WARM };
const HUNDRED: Plugin = Plugin { id: "rate-100", rate: 100, ..WARM };
const BUDGET: Plugin = Plugin { id: "budget", budget: Some(Budget::Response), ..HUNDRED };

// The setting that makes the headers of a guarded request wait for its body.
const HOLDING: Plugin = Plugin { id: "holding", guard: Some(Heads::Held), ..WARM };
// A chat of 4 KiB, with limits of three kinds.
const CHAT: Plugin = Plugin { id: "chat", budget: Some(Budget::Request), ..HOLDING };
const CHARGED: Plugin = Plugin { id: "charged", budget: Some(Budget::Response), ..HOLDING };
const RESERVED: Plugin = Plugin { id: "reserved", budget: Some(Budget::Reserved), ..HOLDING };
const BUFFERING: Plugin = Plugin { id: "buffering", guard: Some(Heads::Buffered), ..WARM };

/// Lists whose length must not matter, short and long, with the requests that use them: the cold case, the
/// warm case.
const LISTS: [([&str; 2], List, Traffic); 12] = [
    (["lists, cold: 10 rules", "lists, warm: 10 rules"], List::Rules(10), RS256),
    (["lists, cold: 1,000 rules", "lists, warm: 1,000 rules"], List::Rules(1_000), RS256),
    (["lists, cold: 10 providers", "lists, warm: 10 providers"], List::Providers(10), RS256),
    (
        ["lists, cold: 1,000 providers", "lists, warm: 1,000 providers"],
        List::Providers(1_000),
        RS256,
    ),
    (["lists, cold: 10 tenants", "lists, warm: 10 tenants"], List::Tenants(10), RS256),
    (["lists, cold: 1,000 tenants", "lists, warm: 1,000 tenants"], List::Tenants(1_000), RS256),
    (["lists, cold: 10 audiences", "lists, warm: 10 audiences"], List::Audiences(10), RS256),
    (
        ["lists, cold: 1,000 audiences", "lists, warm: 1,000 audiences"],
        List::Audiences(1_000),
        RS256,
    ),
    (
        ["lists, cold: 200 groups, 1 entry", "lists, warm: 200 groups, 1 entry"],
        List::Grants(1),
        Traffic::Groups,
    ),
    (
        ["lists, cold: 200 groups, 1,000 entries", "lists, warm: 200 groups, 1,000 entries"],
        List::Grants(1_000),
        Traffic::Groups,
    ),
    (
        ["lists, cold: 200 groups, 1 tier", "lists, warm: 200 groups, 1 tier"],
        List::Tiers(1),
        Traffic::Groups,
    ),
    (
        ["lists, cold: 200 groups, 50 tiers", "lists, warm: 200 groups, 50 tiers"],
        List::Tiers(50),
        Traffic::Groups,
    ),
];

const RS256: Traffic = Traffic::Valid(Algorithm::Rs256);
const ES256: Traffic = Traffic::Valid(Algorithm::Es256);
const NATIVE: Listener = Listener::Native { cached: false };
const NATIVE_CACHED: Listener = Listener::Native { cached: true };

/// The plugin whose start and memory are reported.
pub const FOOTPRINT: Plugin = WARM;

/// The whole table, in the order of the report.
fn all() -> Vec<Scenario> {
    let [tags_1, tags_10] = TAGS.map(Listener::Tollgate);
    let [limits_0, limits_3] = LIMITS.map(Listener::Tollgate);
    let [ten, hundred, spending] = [TEN, HUNDRED, BUDGET].map(Listener::Tollgate);
    let (alike, alike_cold) = (Listener::Tollgate(ALIKE), Listener::Tollgate(ALIKE_COLD));
    let (cold, warm) = (Listener::Tollgate(COLD), Listener::Tollgate(WARM));
    let [warm_needed, alike_needed] = [WARM_NEEDED, ALIKE_NEEDED].map(Listener::Tollgate);
    let (unwatched, silent) = (Listener::Tollgate(UNWATCHED), Listener::Tollgate(SILENT));
    let (audited, auto) = (Listener::Tollgate(AUDITED), Listener::Tollgate(AUTO));
    let denying = Listener::Tollgate(DENYING);
    let (holding, buffering) = (Listener::Tollgate(HOLDING), Listener::Tollgate(BUFFERING));
    let [chat, charged, reserved] = [CHAT, CHARGED, RESERVED].map(Listener::Tollgate);
    let (none, same, each) = (Traffic::NoToken, Traffic::ForgedSame, Traffic::ForgedEach);
    let (native, cached) = (Some(NATIVE), Some(NATIVE_CACHED));
    [
        ("native uncached", NATIVE, RS256, None),
        ("native uncached", NATIVE, ES256, None),
        ("native cached", NATIVE_CACHED, RS256, None),
        ("empty Wasm filter", Listener::EmptyWasm, RS256, None),
        ("tollgate cold", cold, RS256, native),
        ("tollgate cold", cold, ES256, native),
        ("tollgate warm", warm, RS256, cached),
        ("tollgate cold, like for like", alike_cold, RS256, native),
        ("tollgate cold, like for like", alike_cold, ES256, native),
        ("tollgate warm, like for like", alike, RS256, cached),
        ("tollgate warm, like for like, native uncached", alike, RS256, native),
        ("tollgate warm, needed callbacks", warm_needed, RS256, Some(warm)),
        ("tollgate warm, needed callbacks, alike", alike_needed, RS256, Some(alike)),
        ("tollgate warm, no telemetry", unwatched, RS256, cached),
        ("tollgate warm, no telemetry, no fields", silent, RS256, cached),
        ("tollgate warm, audit line", audited, RS256, None),
        ("tollgate warm, audit line, filter_state: auto", auto, RS256, Some(audited)),
        ("native denied, no token", NATIVE, none, None),
        ("native denied, one forged token", NATIVE, same, None),
        ("native denied, each token forged anew", NATIVE, each, None),
        ("tollgate denied, no token", denying, none, native),
        ("tollgate denied, one forged token", denying, same, native),
        ("tollgate denied, each token forged anew", denying, each, native),
        ("tollgate warm, 1 tag", tags_1, RS256, cached),
        ("tollgate warm, 10 tags", tags_10, RS256, cached),
        ("tollgate warm, no limit", limits_0, RS256, cached),
        ("tollgate warm, 3 limits", limits_3, RS256, cached),
        ("tollgate warm, 10/s", ten, RS256, cached),
        ("tollgate warm, 100/s", hundred, RS256, cached),
        ("tollgate warm, token budget", spending, RS256, cached),
        ("tollgate guarded, buffer filter behind", buffering, Traffic::Body, None),
        ("tollgate guarded, head held", holding, Traffic::Body, Some(buffering)),
        ("tollgate chat of 4 KiB, by the request", chat, Traffic::Chat, None),
        ("tollgate chat of 4 KiB, by the response", charged, Traffic::Chat, Some(chat)),
        ("tollgate chat of 4 KiB, reserve and price", reserved, Traffic::Chat, Some(chat)),
    ]
    .map(|(name, listener, traffic, against)| Scenario {
        name,
        lane: Lane { listener, traffic },
        against: against.map(|listener| Lane { listener, traffic }),
    })
    .into_iter()
    .chain([COLD, WARM].into_iter().flat_map(lists))
    .collect()
}

/// The cases of long lists; the reference of each is the short one before it.
fn lists(plugin: Plugin) -> impl Iterator<Item = Scenario> {
    let lane = move |list, traffic| Lane {
        listener: Listener::Tollgate(Plugin { list: Some(list), ..plugin }),
        traffic,
    };
    (0..).zip(LISTS).map(move |(number, ([cold, warm], list, traffic))| {
        let short = LISTS.into_iter().nth(number & !1).filter(|_| number % 2 == 1);
        Scenario {
            name: if plugin.cached { warm } else { cold },
            lane: lane(list, traffic),
            against: short.map(|(_, list, traffic)| lane(list, traffic)),
        }
    })
}

/// The case that is called `only`, or those whose name contains it, those of tollgate only if there is a module, and those of lists only
/// if they are named: they are two dozen VMs. With a
/// `reference`, each of these is compared with the same case of the reference module.
pub fn selected(only: &str, module: bool, reference: bool) -> Vec<Scenario> {
    let compared = |case: Scenario| match case.lane.listener {
        Listener::Tollgate(plugin) if reference => {
            let listener = Listener::Tollgate(Plugin { reference, ..plugin });
            Scenario { against: Some(Lane { listener, ..case.lane }), ..case }
        }
        _ => case,
    };
    let cases = all();
    let named = cases.iter().any(|case| case.name == only);
    let wanted = |case: &Scenario| if named { case.name == only } else { case.name.contains(only) };
    cases
        .into_iter()
        .filter(wanted)
        .filter(|case| !only.is_empty() || !case.name.starts_with("lists"))
        .filter(|case| module || !matches!(case.lane.listener, Listener::Tollgate(_)))
        .map(compared)
        .collect()
}

/// The lanes to measure: the bare listener, the references and the cases.
pub fn lanes(scenarios: &[Scenario]) -> Vec<Lane> {
    let bare = scenarios.iter().map(|case| case.lane.bare());
    let against = scenarios.iter().filter_map(|case| case.against);
    let own = scenarios.iter().map(|case| case.lane);
    distinct(bare.chain(against).chain(own))
}

/// The listeners of `lanes`, each once.
pub fn listeners(lanes: &[Lane]) -> Vec<Listener> {
    distinct(lanes.iter().map(|lane| lane.listener))
}

fn distinct<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    items.fold(Vec::new(), |mut seen, item| {
        if !seen.contains(&item) {
            seen.push(item);
        }
        seen
    })
}
