// Command mint prints tokens and keys of Go's JWT libraries as JSON: one entry for each library.
//
// Each signs with keys of its own that end with this process, writes dates from a time.Time where it
// takes one, and exports its public keys by its own means. See tests/providers.rs for what is asked.
package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	josejwt "github.com/go-jose/go-jose/v4/jwt"
	"github.com/golang-jwt/jwt/v5"
	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
	jwxjwt "github.com/lestrrat-go/jwx/v3/jwt"
)

type token struct {
	Form      string `json:"form"`
	Algorithm string `json:"algorithm"`
	Key       string `json:"key"`
	Token     string `json:"token"`
}

type entry struct {
	Library string                     `json:"library"`
	Version string                     `json:"version"`
	Now     int64                      `json:"now"`
	Keys    map[string]json.RawMessage `json:"keys"`
	Tokens  []token                    `json:"tokens"`
}

// claims holds times as time.Time; a library writes them as it does.
type claims map[string]any

// headers beside `alg`; a missing `typ` leaves what the library writes.
type headers map[string]string

type library struct {
	name, module string
	algorithms   []string
	sign         func(claims, headers, string) (string, error)
	jwk          func(name string) ([]byte, error)
}

var (
	now    = time.Now().Truncate(time.Second)
	secret = make([]byte, 64) // As long as the longest digest (RFC 7518 section 3.2).
	keys   = map[string]crypto.Signer{}
	keyOf  = map[string]string{
		"RS256": "rsa", "RS384": "rsa", "RS512": "rsa", "PS256": "rsa", "PS384": "rsa", "PS512": "rsa",
		"ES256": "p256", "ES384": "p384", "ES512": "p521", "EdDSA": "ed25519",
		"HS256": "secret", "HS384": "secret", "HS512": "secret",
	}
)

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func base(more claims) claims {
	all := claims{
		"iss": "https://issuer.test", "aud": "api", "sub": "user-1", "exp": now.Add(time.Hour),
	}
	maps.Copy(all, more)
	return all
}

func forms() map[string]claims {
	seconds := float64(now.Unix())
	forever := base(nil)
	delete(forever, "exp")
	return map[string]claims{
		"default":        base(nil),
		"dates":          base(claims{"iat": now, "nbf": now, "jti": "0123"}),
		"aud_list":       base(claims{"aud": []string{"other", "api"}}),
		"fraction":       base(claims{"exp": seconds + 3600.5, "iat": seconds - 0.25, "nbf": seconds - 0.75}),
		"zero_nbf":       base(claims{"nbf": time.Unix(0, 0), "iat": time.Unix(0, 0)}),
		"zero_time":      base(claims{"nbf": time.Time{}, "iat": time.Time{}}),
		"unicode":        base(claims{"sub": "Zoë ☃ 🜁", "name": "Ærø\u2028"}),
		"expired":        base(claims{"exp": now.Add(-time.Hour)}),
		"expired_always": base(claims{"exp": time.Time{}}),
		"early":          base(claims{"nbf": now.Add(time.Hour)}),
		"issued_later":   base(claims{"iat": now.Add(time.Hour)}),
		"wrong_audience": base(claims{"aud": "other"}),
		"wrong_issuer":   base(claims{"iss": "https://issuer.test/"}),
		"no_exp":         forever,
		"text_exp":       base(claims{"exp": fmt.Sprint(now.Unix() + 3600)}),
	}
}

// private is the key that a library signs with.
func private(name string) any {
	if name == "secret" {
		return secret
	}
	return keys[name]
}

func public(name string) any {
	if name == "secret" {
		return secret
	}
	return keys[name].Public()
}

func signWithGolangJwt(all claims, more headers, algorithm string) (string, error) {
	mapped := jwt.MapClaims{}
	for name, value := range all {
		if date, ok := value.(time.Time); ok {
			value = jwt.NewNumericDate(date)
		}
		mapped[name] = value
	}
	token := jwt.NewWithClaims(jwt.GetSigningMethod(algorithm), mapped)
	for name, value := range more {
		token.Header[name] = value
		if value == "" {
			delete(token.Header, name)
		}
	}
	return token.SignedString(private(keyOf[algorithm]))
}

func signWithJwx(all claims, more headers, algorithm string) (string, error) {
	token := jwxjwt.New()
	for name, value := range all {
		if _, text := value.(string); text && name == "exp" {
			return "", errors.New("makes a number of the text")
		}
		if err := token.Set(name, value); err != nil {
			return "", err
		}
	}
	protected := jws.NewHeaders()
	for name, value := range more {
		if value != "" {
			if err := protected.Set(name, value); err != nil {
				return "", err
			}
		}
	}
	method, _ := jwa.LookupSignatureAlgorithm(algorithm)
	key := private(keyOf[algorithm])
	signed, err := jwxjwt.Sign(token, jwxjwt.WithKey(method, key, jws.WithProtectedHeaders(protected)))
	return string(signed), err
}

func signWithGoJose(all claims, more headers, algorithm string) (string, error) {
	key := jose.JSONWebKey{Key: private(keyOf[algorithm]), KeyID: more["kid"]}
	options := &jose.SignerOptions{}
	if typ := more["typ"]; typ != "" {
		options = options.WithType(jose.ContentType(typ))
	}
	method := jose.SigningKey{Algorithm: jose.SignatureAlgorithm(algorithm), Key: key}
	signer, err := jose.NewSigner(method, options)
	if err != nil {
		return "", err
	}
	mapped := map[string]any{}
	for name, value := range all {
		if date, ok := value.(time.Time); ok {
			numeric := josejwt.NewNumericDate(date)
			if numeric == nil && name == "exp" {
				return "", errors.New("has no zero time")
			}
			if numeric == nil { // Of a zero time, which its own claims leave out.
				continue
			}
			value = numeric
		}
		mapped[name] = value
	}
	return josejwt.Signed(signer).Claims(mapped).Serialize()
}

func jwkOfJwx(name string) ([]byte, error) {
	key, err := jwk.Import(public(name))
	if err != nil {
		return nil, err
	}
	if err := key.Set(jwk.KeyIDKey, name); err != nil {
		return nil, err
	}
	return json.Marshal(key)
}

func jwkOfGoJose(name string) ([]byte, error) {
	return json.Marshal(jose.JSONWebKey{Key: public(name), KeyID: name, Use: "sig"})
}

func mint(from library) entry {
	info, _ := debug.ReadBuildInfo()
	made := entry{Library: from.name, Now: now.Unix(), Keys: map[string]json.RawMessage{}}
	for _, module := range info.Deps {
		if module.Path == from.module {
			made.Version = module.Version
		}
	}
	add := func(form, algorithm string, all claims, more headers) {
		signed, err := from.sign(all, more, algorithm)
		if err != nil {
			log.Printf("%s: %s %s: %v", from.name, form, algorithm, err)
			return
		}
		made.Tokens = append(made.Tokens, token{form, algorithm, keyOf[algorithm], signed})
	}
	forms := forms()
	for _, algorithm := range from.algorithms {
		name := keyOf[algorithm]
		for _, form := range slices.Sorted(maps.Keys(forms)) {
			add(form, algorithm, forms[form], headers{"kid": name})
		}
		add("no_kid", algorithm, base(nil), nil)
		add("typ_at", algorithm, base(nil), headers{"kid": name, "typ": "at+jwt"})
		add("no_typ", algorithm, base(nil), headers{"kid": name, "typ": ""})
		made.Keys[name] = must(from.jwk(name))
	}
	return made
}

func main() {
	must(rand.Read(secret))
	keys["rsa"] = must(rsa.GenerateKey(rand.Reader, 2048))
	keys["p256"] = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	keys["p384"] = must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	keys["p521"] = must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader))
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	keys["ed25519"] = must(ed, err)
	all := slices.Sorted(maps.Keys(keyOf))
	made := []entry{
		// It exports no keys: those of go-jose stand for them.
		mint(library{"golang-jwt", "github.com/golang-jwt/jwt/v5", all, signWithGolangJwt, jwkOfGoJose}),
		mint(library{"jwx", "github.com/lestrrat-go/jwx/v3", all, signWithJwx, jwkOfJwx}),
		mint(library{"go-jose", "github.com/go-jose/go-jose/v4", all, signWithGoJose, jwkOfGoJose}),
	}
	if err := json.NewEncoder(os.Stdout).Encode(made); err != nil {
		log.Fatal(err)
	}
}
