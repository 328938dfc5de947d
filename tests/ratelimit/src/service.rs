//! The service: finds the limits of a request and lets limitador decide.

use std::collections::HashMap;
use std::error::Error;
use std::time::Duration;

use envoy_types::pb::envoy::extensions::common::ratelimit::v3::RateLimitDescriptor;
use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_response::{Code, DescriptorStatus};
use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_service_server::RateLimitService;
use envoy_types::pb::envoy::service::ratelimit::v3::{RateLimitRequest, RateLimitResponse};
use limitador::AsyncRateLimiter;
use limitador::limit::{Limit, Namespace};
use limitador::storage::redis::AsyncRedisStorage;
use serde_json::json;
use tokio::sync::Mutex;
use tonic::{Request, Response, Status};

use crate::descriptors::{Config, Rate};

/// The longest time for a decision. Limitador's client retries a lost Redis for longer than Envoy waits.
const PATIENCE: Duration = Duration::from_secs(2);

/// The service that answers Envoy.
pub struct Service {
    config: Config,
    /// The lock allows one decision at a time; see the crate's documentation.
    limiter: Mutex<AsyncRateLimiter>,
}

impl Service {
    /// Connects to Redis.
    pub async fn new(config: Config, redis: &str) -> Result<Self, Box<dyn Error>> {
        let storage = AsyncRedisStorage::new(redis).await?;
        let limiter = AsyncRateLimiter::new_with_storage(Box::new(storage));
        Ok(Self { config, limiter: Mutex::new(limiter) })
    }

    async fn decide(&self, descriptor: &RateLimitDescriptor, hits: i64) -> Result<Code, Status> {
        let entries = descriptor.entries.iter().map(|e| (e.key.as_str(), e.value.as_str()));
        let Some(held) = self.config.find(entries.clone()) else {
            return Ok(Code::Ok);
        };
        let values: HashMap<_, _> =
            entries.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        // Limitador applies all limits of a namespace, so each node has its own namespace.
        let namespace = Namespace::from(format!("{}/{}", self.config.domain, held.path).as_str());
        let limiter = self.limiter.lock().await;
        if limiter.get_limits(&namespace).is_empty() {
            let Rate { unit, requests_per_unit } = held.rate;
            let (most, window) = (i64::from(requests_per_unit), unit.seconds());
            let always: [String; 0] = [];
            limiter.add_limit(Limit::new(namespace.clone(), most, window, always, held.keys));
        }
        let decision = limiter.check_rate_limited_and_update(&namespace, &values, hits, false);
        match tokio::time::timeout(PATIENCE, decision).await {
            Ok(Ok(result)) if result.limited => Ok(Code::OverLimit),
            Ok(Ok(_)) => Ok(Code::Ok),
            Ok(Err(error)) => Err(Status::unavailable(error.to_string())),
            Err(_) => Err(Status::unavailable("Redis does not answer")),
        }
    }
}

#[tonic::async_trait]
impl RateLimitService for Service {
    async fn should_rate_limit(
        &self,
        request: Request<RateLimitRequest>,
    ) -> Result<Response<RateLimitResponse>, Status> {
        let request = request.into_inner();
        let mut statuses = Vec::new();
        let mut overall = Code::Ok;
        for descriptor in &request.descriptors {
            // The descriptor's number takes precedence over the request's. The default is one.
            let hits = descriptor.hits_addend.as_ref().map(|hits| hits.value);
            let hits = hits.unwrap_or(u64::from(request.hits_addend.max(1)));
            let code = match request.domain == self.config.domain {
                true => self.decide(descriptor, i64::try_from(hits).unwrap_or(i64::MAX)).await?,
                false => Code::Ok,
            };
            let entries: Vec<_> = descriptor.entries.iter().map(|e| (&e.key, &e.value)).collect();
            let asked = json!({"entries": entries, "hits": hits, "over": code == Code::OverLimit});
            println!("{asked}");
            if code == Code::OverLimit {
                overall = code;
            }
            statuses.push(DescriptorStatus { code: code.into(), ..DescriptorStatus::default() });
        }
        let overall_code = overall.into();
        Ok(Response::new(RateLimitResponse { overall_code, statuses, ..Default::default() }))
    }
}
