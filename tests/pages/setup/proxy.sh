# What a reader has who operates Envoy: one that runs, with its audit log in audit.log, and refused two
# requests.
export TOLLGATE_JWKS="$(tollgate mint --jwks)"
envoy --config-path envoy/envoy.yaml --log-level warning --log-path envoy.log >audit.log &
curl --silent --retry 20 --retry-delay 1 --retry-connrefused --output /dev/null http://127.0.0.1:10000/score --data '{}'
forged=$(tollgate mint --dir other-keys --issuer https://issuer.test --subject alice)
curl --silent --output /dev/null http://127.0.0.1:10000/score --data '{}' --header "authorization: Bearer $forged"
