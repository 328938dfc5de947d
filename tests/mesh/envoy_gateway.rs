//! Envoy Gateway with its Kubernetes provider, against the real API. The API has no kubelet and no controllers, so
//! that nobody runs the Deployment that Envoy Gateway makes for a Gateway: [`proxy`] starts an Envoy as that asks for.
//!
//! - [`controller`]: Envoy Gateway itself.
//! - [`proxy`]: the Envoy of a Gateway.
//! - [`world`]: both with the shipped manifests applied as they are, and the servers that these name.

pub mod controller;
pub mod proxy;
pub mod world;
