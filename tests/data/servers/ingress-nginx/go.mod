// The newest version of ingress-nginx that is a Go module: its template and the names of its settings
// are read, nothing of it is built.
module tollgate.test/ingress-nginx

go 1.19

require k8s.io/ingress-nginx v0.0.0-20240708192948-52c50467d67d
