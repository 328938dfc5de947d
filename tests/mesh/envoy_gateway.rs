//! Envoy Gateway with its Kubernetes provider, against the real API. The API has no kubelet and no controllers, so
//! that nobody runs the Deployment that Envoy Gateway makes for a Gateway: [`proxy`] starts an Envoy as that asks for.
//!
//! - [`controller`]: Envoy Gateway itself.
//! - [`proxy`]: the Envoy of a Gateway.
//! - [`servers`]: the model, the issuer and the web server of the manifests.
//! - [`world`]: all of it, after the steps of the page.

pub mod controller;
pub mod proxy;
pub mod servers;
pub mod world;
