//! A Rate Limit Service for tests: Envoy's gRPC protocol in front of limitador's counters in Redis.
//!
//! ```text
//! ratelimit <configuration of envoyproxy/ratelimit> <port of Redis>
//! ```
//!
//! It reads the configuration that the documentation shows for envoyproxy/ratelimit, listens on
//! a free port of loopback and writes to standard output: first its address, then one line of JSON
//! for each descriptor that it decides on.
//!
//! The counters are limitador's: windows that begin with the first request of a counter, stored in
//! Redis. For a decision, limitador first reads the counters and then adds to them, so concurrent
//! decisions may admit too many requests. This service makes one decision at a time, and so is exact.

mod descriptors;
mod service;

use std::error::Error;

use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_service_server::RateLimitServiceServer;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(file), Some(redis)) = (arguments.next(), arguments.next()) else {
        return Err("usage: ratelimit <configuration> <port of Redis>".into());
    };
    let config = serde_yaml_ng::from_str(&std::fs::read_to_string(file)?)?;
    let service = service::Service::new(config, &format!("redis://127.0.0.1:{redis}")).await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    tonic::transport::Server::builder()
        .add_service(RateLimitServiceServer::new(service))
        .serve_with_incoming(TcpListenerStream::new(listener))
        .await?;
    Ok(())
}
