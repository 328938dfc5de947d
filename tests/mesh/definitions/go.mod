module tollgate.test/mesh/definitions

go 1.26.0

require (
	github.com/cert-manager/cert-manager v1.21.2
	github.com/cilium/cilium v1.20.2
	github.com/prometheus-operator/prometheus-operator v0.85.0
	sigs.k8s.io/secrets-store-csi-driver v1.5.3
)
