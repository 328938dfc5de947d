//! Finds filters that share data and have limits of the same name with different quotas.

use std::rc::Rc;

use tollgate::config::compile;
use tollgate::limit::plan::Limit;
use tollgate::limit::quota::Quota;
use tollgate::policy::Policy;

use crate::document::{Finding, Found};
use crate::environment::{Given, Variables};

/// One configuration of a file that may share data with others.
pub struct Neighbour {
    /// The number of its document.
    document: usize,
    /// `vm_id` and `name`, under which its data are stored.
    shared: (String, String),
    at: String,
    policy: Policy,
}

impl Neighbour {
    /// `None` if its data are not shared, or it does not load.
    pub fn new(document: usize, found: &Found, given: &Given) -> Option<Self> {
        let (shared, text) = (found.shared.clone()?, found.text.as_ref()?);
        let (policy, _) =
            compile(text, &Variables::new(given, found.handed.as_ref(), text)).ok()?;
        Some(Self { document, shared, at: found.at.clone(), policy })
    }
}

/// Finds the limits for which an earlier configuration of the same document has another quota.
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
            "another size than the limit {:?} of {}, which has the same vm_id and name: a caller \
             gets the sum of both quotas; write the same rate and burst in both",
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
