"""Tokens and keys of Python's JWT libraries, as JSON: one entry for each library.

Each signs with keys of its own that end with this process, writes dates as it does where it is given a
`datetime`, and exports its public keys by its own means. See tests/providers.rs for what is asked.
"""

import base64
import datetime
import importlib.metadata
import json
import os
import sys
import time

import authlib.jose
import joserfc.jwk
import joserfc.jwt
import jose.constants
import jose.jwk
import jose.jwt
import jwcrypto.jwk
import jwcrypto.jwt
import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

NOW = int(time.time())
RSA = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
ECDSA = {"ES256": "p256", "ES384": "p384", "ES512": "p521", "ES256K": "secp256k1"}
HMAC = ["HS256", "HS384", "HS512"]


def ec_key(curve, cut=False):
    """A key of which a coordinate begins with a zero byte (RFC 7518 section 6.2.1.2 keeps it), or none
    does, so that what a library makes of it does not differ from run to run."""
    while True:
        key = ec.generate_private_key(curve)
        numbers = key.public_key().public_numbers()
        size = (curve.key_size + 7) // 8
        if cut == any(n >> 8 * (size - 1) == 0 for n in (numbers.x, numbers.y)):
            return key


KEYS = {
    "rsa": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "p256": ec_key(ec.SECP256R1()),
    "p384": ec_key(ec.SECP384R1()),
    "p521": ec_key(ec.SECP521R1(), cut=True),
    "secp256k1": ec_key(ec.SECP256K1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate(),
    "ed448": ed448.Ed448PrivateKey.generate(),
}
# As long as the longest digest (RFC 7518 section 3.2).
SECRET = os.urandom(64)


def pem(name):
    return KEYS[name].private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def key_of(algorithm):
    if algorithm in RSA:
        return "rsa"
    if algorithm in HMAC:
        return "secret"
    return {"EdDSA": "ed25519", "Ed25519": "ed25519", "Ed448": "ed448", **ECDSA}[algorithm]


def at(seconds):
    """A date as an application has it."""
    return datetime.datetime.fromtimestamp(NOW + seconds, datetime.timezone.utc)


def base(**more):
    return {"iss": "https://issuer.test", "aud": "api", "sub": "user-1", "exp": at(3600), **more}


def without(name):
    claims = base()
    del claims[name]
    return claims


# Claims by form.
FORMS = {
    "default": base(),
    "dates": base(iat=at(0), nbf=at(0), jti="0123"),
    "aud_list": base(aud=["other", "api"]),
    "fraction": base(exp=NOW + 3600.5, iat=NOW - 0.25, nbf=NOW - 0.75),
    "zero_nbf": base(nbf=0, iat=0),
    "unicode": base(sub="Zoë ☃ 🜁", name="Ærø\u2028"),
    "expired": base(exp=at(-3600)),
    "early": base(nbf=at(3600)),
    "issued_later": base(iat=at(3600)),
    "wrong_audience": base(aud="other"),
    "wrong_issuer": base(iss="https://issuer.test/"),
    "no_exp": without("exp"),
    "text_exp": base(exp=str(NOW + 3600)),
}


def numeric(claims):
    """For libraries that leave dates to the application."""
    return {
        name: int(value.timestamp()) if isinstance(value, datetime.datetime) else value
        for name, value in claims.items()
    }


def table(library, algorithms, encode, export, name_of=key_of):
    """Every form by every algorithm. `encode(claims, header, algorithm)`; a form that the library
    itself refuses is left out. `name_of`: which of its keys signs by an algorithm."""
    tokens = []

    def add(form, algorithm, claims, header):
        try:
            token = encode(dict(claims), dict(header), algorithm)
        except Exception as error:  # What a library refuses differs by library.
            print(f"{library}: {form} {algorithm}: {error}", file=sys.stderr)
            return
        token = token.decode() if isinstance(token, bytes) else token
        tokens.append(
            {"form": form, "algorithm": algorithm, "key": name_of(algorithm), "token": token}
        )

    for algorithm in algorithms:
        kid = {"kid": name_of(algorithm)}
        for form, claims in FORMS.items():
            add(form, algorithm, claims, kid)
        add("no_kid", algorithm, base(), {})
        add("typ_at", algorithm, base(), {"typ": "at+jwt", **kid})
        add("no_typ", algorithm, base(), {"typ": None, **kid})
    keys = {}
    for name in sorted({name_of(algorithm) for algorithm in algorithms}):
        jwk = export(name)
        keys[name] = jwk if isinstance(jwk, dict) else json.loads(jwk)
    version = importlib.metadata.version(library)
    return {"library": library, "version": version, "now": NOW, "keys": keys, "tokens": tokens}


def pyjwt():
    algorithms = RSA + list(ECDSA) + ["EdDSA"] + HMAC

    def encode(claims, header, algorithm):
        name = key_of(algorithm)
        key = SECRET if name == "secret" else KEYS[name]
        return jwt.encode(claims, key, algorithm=algorithm, headers=header)

    def export(name):
        algorithm = {"rsa": "RS256", "ed25519": "EdDSA", "secret": "HS256"}.get(name)
        algorithm = algorithm or next(a for a, key in ECDSA.items() if key == name)
        key = SECRET if name == "secret" else KEYS[name].public_key()
        return {**json.loads(jwt.get_algorithm_by_name(algorithm).to_jwk(key)), "kid": name}

    return table("PyJWT", algorithms, encode, export)


def python_jose():
    algorithms = RSA[:3] + ["ES256", "ES384", "ES512"] + HMAC

    def encode(claims, header, algorithm):
        name = key_of(algorithm)
        key = SECRET if name == "secret" else pem(name).decode()
        return jose.jwt.encode(claims, key, algorithm=algorithm, headers=header)

    def export(algorithm):
        secret = algorithm in HMAC
        key = jose.jwk.construct(SECRET if secret else pem(key_of(algorithm)).decode(), algorithm)
        jwk = (key if secret else key.public_key()).to_dict()
        text = {k: v.decode() if isinstance(v, bytes) else v for k, v in jwk.items()}
        return {**text, "kid": algorithm}

    # Its keys name their algorithm, so that there is one for each.
    return table("python-jose", algorithms, encode, export, name_of=str)


def authlib_jose():
    algorithms = RSA + list(ECDSA) + ["EdDSA"] + HMAC
    keys = {
        name: authlib.jose.JsonWebKey.import_key(pem(name), {"kid": name, "use": "sig"})
        for name in KEYS
    }
    keys["secret"] = authlib.jose.JsonWebKey.import_key(SECRET, {"kty": "oct", "kid": "secret"})
    encoder = authlib.jose.JsonWebToken(algorithms)

    def encode(claims, header, algorithm):
        # It takes the kid from the key where the header has none: the bare key has none.
        key = keys[key_of(algorithm)] if "kid" in header else None
        if key is None:
            name = key_of(algorithm)
            key = SECRET if name == "secret" else pem(name)
        return encoder.encode({"alg": algorithm, **header}, claims, key)

    def export(name):
        return keys[name].as_dict(is_private=name == "secret")

    return table("Authlib", algorithms, encode, export)


def joserfc_jose():
    algorithms = RSA + list(ECDSA) + ["EdDSA", "Ed25519", "Ed448"] + HMAC
    kinds = {"rsa": joserfc.jwk.RSAKey, "ed25519": joserfc.jwk.OKPKey, "ed448": joserfc.jwk.OKPKey}
    keys = {
        name: kinds.get(name, joserfc.jwk.ECKey).import_key(pem(name), {"kid": name, "use": "sig"})
        for name in KEYS
    }
    keys["secret"] = joserfc.jwk.OctKey.import_key(SECRET, {"kid": "secret"})

    def encode(claims, header, algorithm):
        key = keys[key_of(algorithm)]
        return joserfc.jwt.encode({"alg": algorithm, **header}, claims, key, algorithms=algorithms)

    def export(name):
        return keys[name].as_dict(private=name == "secret")

    return table("joserfc", algorithms, encode, export)


def jwcrypto_jose():
    algorithms = RSA + list(ECDSA) + ["EdDSA"] + HMAC
    keys = {name: jwcrypto.jwk.JWK.from_pem(pem(name)) for name in KEYS}
    secret = base64.urlsafe_b64encode(SECRET).rstrip(b"=").decode()
    keys["secret"] = jwcrypto.jwk.JWK(kty="oct", k=secret)
    for name, key in keys.items():
        key.update(kid=name, use="sig")

    def encode(claims, header, algorithm):
        token = jwcrypto.jwt.JWT(header={"alg": algorithm, **header}, claims=numeric(claims))
        token.make_signed_token(keys[key_of(algorithm)])
        return token.serialize()

    def export(name):
        return keys[name].export() if name == "secret" else keys[name].export_public()

    return table("jwcrypto", algorithms, encode, export)


LIBRARIES = [pyjwt, python_jose, authlib_jose, joserfc_jose, jwcrypto_jose]
json.dump([library() for library in LIBRARIES], sys.stdout)
