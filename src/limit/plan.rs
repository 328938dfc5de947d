//! Applies the limits of a rule to a caller: which bucket, under which quota, at what cost.
//!
//! # Separate buckets
//!
//! A tier and a rate in a token each have a bucket of their own, even with the numbers of the limit. In
//! a common bucket, a caller with two tokens could drain it under the larger burst and have it clamped
//! to the smaller. So a caller with two tokens has the sum of both quotas; the issuer decides which
//! tokens a caller has. Quotas with different numbers never share a bucket: not two tiers, not limits of
//! one name in two filters, and not the quotas before and after a change of the configuration, so a
//! new rate or burst starts with full buckets.

use std::rc::Rc;

pub use super::entry::{Limit, ResponseCost, Tier};
use super::owner::Owner;
use super::quota::Quota;
use super::request::{Mode, Request, Which};
use super::reserve::Priced;
use super::table::{Place, Table};
use crate::caller::memo::Kept;
use crate::caller::principal::Principal;

/// One limit of a rule as it applies to one request.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The limit.
    pub limit: Rc<Limit>,
    /// The bucket.
    bucket: Account,
    /// The quota of the bucket.
    pub quota: Quota,
    /// The tokens to take: the cost of the request at the price of its model.
    pub cost: u64,
    /// The price of the model.
    pub price: Priced,
    /// The tokens to take until the response has a cost, at that price.
    pub reserved: Option<u64>,
    /// Whether they were taken.
    held: bool,
}

/// A bucket by its name and owner, or by its place.
#[derive(Clone, Debug)]
enum Account {
    /// The name if it is not that of the limit, and the owner.
    Of(Option<String>, Owner),
    /// With the key of its slot.
    At(Place, Rc<str>),
}

impl Planned {
    /// Applies a limit to a caller.
    pub fn new(limit: &Rc<Limit>, owner: Owner, caller: Option<&Principal>, cost: u64) -> Self {
        let (tier, quota) = select(limit, caller);
        let name = tier.map(|tier| tier.name(limit));
        Self::with(limit, Account::Of(name, owner), quota, cost)
    }

    /// The same for a caller whose bucket is known: its place was found before for the same token.
    #[inline(always)] // Its result is large, and would be copied.
    pub fn again(limit: &Rc<Limit>, caller: &Principal, cost: u64) -> Option<Self> {
        let Kept { tier, place, key } = caller.kept(limit.position)?;
        let quota = match tier {
            None => limit.quota,
            Some(tier) => limit.tiers.get(usize::try_from(tier).ok()?)?.quota,
        };
        Some(Self::with(limit, Account::At(place, key), quota, cost))
    }

    /// The same for a verified caller whose bucket is looked for now. Its place is kept with the token. It depends on
    /// nothing else if the key of the limit does not; a rate in the token is read each time.
    pub fn found(
        table: &Table,
        limit: &Rc<Limit>,
        owner: &Owner,
        caller: &Principal,
        cost: u64,
    ) -> Self {
        let (selected, quota) = select(limit, Some(caller));
        let name = selected.as_ref().map(|selected| selected.name(limit));
        let name = name.as_ref().unwrap_or(&limit.name);
        let place = table.place(name, Some(&quota), owner.as_deref());
        let key: Rc<str> = table.key(place.slot).into();
        let of_token = matches!(owner, Owner::Identity(_)) && limit.key.is_of_token();
        if of_token && limit.rate_claim.is_none() {
            let tier = selected.and_then(|selected| selected.tier());
            caller.keep(limit.position, Kept { tier, place, key: Rc::clone(&key) });
        }
        Self::with(limit, Account::At(place, key), quota, cost)
    }

    fn with(limit: &Rc<Limit>, bucket: Account, quota: Quota, cost: u64) -> Self {
        Self {
            limit: Rc::clone(limit),
            bucket,
            quota,
            cost,
            price: Priced::default(),
            reserved: None,
            held: false,
        }
    }

    /// Applies the price of the model to the `cost` of the request by its rule and to the reservation of its
    /// body, which are both in tokens of the model.
    pub fn demand(&mut self, cost: u64, price: Priced, reserved: Option<u64>) {
        self.price = price;
        self.cost = cost.saturating_mul(price.times);
        self.reserved = reserved.map(|tokens| tokens.saturating_mul(price.times));
    }

    /// Notes whether the limit has given the tokens.
    pub(crate) fn was_taken(&mut self, taken: bool) {
        self.held = taken;
    }

    /// The part of the reservation that the bucket has given.
    pub fn held(&self) -> u64 {
        self.reserved.filter(|_| self.held).unwrap_or(0)
    }

    /// The name of the bucket if it is not that of the limit: for a tier, or for a rate in the token.
    pub fn bucket(&self) -> Option<&str> {
        match &self.bucket {
            Account::Of(name, _) => name.as_deref(),
            Account::At(..) => None,
        }
    }

    /// The owner of the bucket, unless only its place is known.
    pub fn owner(&self) -> Option<&Owner> {
        match &self.bucket {
            Account::Of(_, owner) => Some(owner),
            Account::At(..) => None,
        }
    }

    /// The request to the bucket.
    pub fn request(&self) -> Request<'_> {
        let limit = &*self.limit;
        Request {
            bucket: match &self.bucket {
                Account::Of(name, owner) => {
                    Which::Of(name.as_ref().unwrap_or(&limit.name), owner.as_deref())
                }
                Account::At(place, key) => Which::At(*place, key),
            },
            quota: &self.quota,
            cost: self.reserved.unwrap_or(self.cost),
            mode: match limit.response_cost.is_some() && self.reserved.is_none() {
                true => Mode::Ask,
                false => Mode::Take,
            },
            dry_run: limit.dry_run,
        }
    }

    /// The charge at the end of the response, and how it came about. It includes what the request has
    /// [`held`](Self::held).
    pub fn charge(&self, end: End) -> (Request<'_>, Settlement) {
        let missing = self.limit.response_cost.as_ref().and_then(|cost| cost.missing);
        let priced = |tokens: u64| tokens.saturating_mul(self.price.times);
        let missing = missing.map(priced).or(self.reserved).unwrap_or(self.cost);
        let (cost, settlement) = match (end, self.reserved) {
            (End::Told(tokens), _) => (priced(tokens), Settlement::Settled),
            (End::Failed, Some(reserved)) => (self.cost.min(reserved), Settlement::Refunded),
            (End::Cut(tokens), _) => (priced(tokens).max(missing), Settlement::Missing),
            (End::Failed | End::Untold, _) => (missing, Settlement::Missing),
        };
        (Request { cost, ..self.request() }, settlement)
    }
}

/// The end of a response, as far as its cost depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It carried this number.
    Told(u64),
    /// It was cut, or the caller left, when it had this number: it costs no less than without one.
    Cut(u64),
    /// It carried no number.
    Untold,
    /// The upstream failed: it gave an error, or no response.
    Failed,
}

/// How a response was charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// By its number.
    Settled,
    /// By the cost of the request alone; the rest of the reservation was given back.
    Refunded,
    /// By what the limit has for a missing number, else by the reservation, else by the cost of the request.
    Missing,
}

impl Settlement {
    /// The label in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Settled => "settled",
            Self::Refunded => "refunded",
            Self::Missing => "missing",
        }
    }
}

/// A bucket beside the limit's own.
enum Selected {
    /// That of a tier.
    Tier(u32),
    /// That of a rate in the token.
    Claim(String),
}

impl Selected {
    /// The position of the tier.
    fn tier(&self) -> Option<u32> {
        match self {
            Self::Tier(tier) => Some(*tier),
            Self::Claim(_) => None,
        }
    }

    /// The name of the bucket.
    fn name(&self, limit: &Limit) -> String {
        let name = &limit.name;
        match self {
            Self::Tier(tier) => format!("{name}/tier{tier}"),
            Self::Claim(number) => format!("{name}/claim{number}"),
        }
    }
}

/// The bucket and the quota of a caller under a limit: by the rate in its token, else by its first
/// tier, else those of the limit.
fn select(limit: &Limit, caller: Option<&Principal>) -> (Option<Selected>, Quota) {
    if let Some(caller) = caller {
        let own = limit.rate_claim.as_ref().and_then(|rate| rate.of(caller.claims()));
        if let Some((number, quota)) = own {
            return (Some(Selected::Claim(number.to_string())), quota);
        }
        let tiers = Some(&limit.tiers).filter(|tiers| !tiers.is_empty());
        let index = tiers.and_then(|tiers| caller.tier(limit.position, tiers));
        let tier =
            index.and_then(|index| Some((u32::try_from(index).ok()?, limit.tiers.get(index)?)));
        if let Some((index, tier)) = tier {
            return (Some(Selected::Tier(index)), tier.quota);
        }
    }
    (None, limit.quota)
}
