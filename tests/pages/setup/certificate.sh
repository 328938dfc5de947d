# What a reader has who owns a domain: a certificate and its key.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 \
    -subj /CN=ml.example.com -out tls.crt -keyout tls.key
