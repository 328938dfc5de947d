//! Whether filters that share a VM's data have limits of one name and different size.

use std::rc::Rc;

use tollgate::config::compile;
use tollgate::limit::plan::Limit;
use tollgate::limit::quota::Quota;
use tollgate::policy::Policy;

use crate::document::{Finding, Found};
use crate::environment::{Given, Variables};

/// One configuration among those of a file, as far as others share its data.
pub struct Neighbour {
    /// The number of its document.
    document: usize,
    /// The VM and the name that its data go by.
    shared: (String, String),
    at: String,
    policy: Policy,
}

impl Neighbour {
    /// `None` where nobody shares, or nothing loads.
    pub fn new(document: usize, found: &Found, given: &Given) -> Option<Self> {
        let (shared, text) = (found.shared.clone()?, found.text.as_ref()?);
        let (policy, _) = compile(text, &Variables::new(given, found.handed.as_ref())).ok()?;
        Some(Self { document, shared, at: found.at.clone(), policy })
    }
}

/// The limits of a configuration that another one of its document, named before it, has in another
/// size.
pub fn check(neighbours: &[Neighbour], document: usize, found: &Found) -> Vec<Finding> {
    let of_document = || neighbours.iter().filter(|one| one.document == document);
    let Some(own) = of_document().find(|one| one.at == found.at) else { return Vec::new() };
    let others: Vec<_> = of_document()
        .take_while(|one| one.at != found.at)
        .filter(|one| one.shared == own.shared)
        .collect();
    let differs = |(index, limit): (usize, &Rc<Limit>)| {
        let another = |one: &&&Neighbour| {
            let same = one.policy.limits.iter().find(|other| other.name == limit.name);
            same.is_some_and(|other| sizes(other) != sizes(limit))
        };
        let other = others.iter().find(another)?;
        let why = format!(
            "the limit {:?} of {} has the same vm_id and name and another size: each has buckets \
             of its own, and a caller the sum of both",
            limit.name, other.at
        );
        Some(Finding::warning(format!("limits[{index}]"), why))
    };
    own.policy.limits.iter().enumerate().filter_map(differs).collect()
}

/// The quotas of a limit: its own, and those of its tiers.
fn sizes(limit: &Limit) -> Vec<Quota> {
    let tiers = limit.tiers.iter().map(|tier| tier.quota);
    [limit.quota].into_iter().chain(tiers).collect()
}
