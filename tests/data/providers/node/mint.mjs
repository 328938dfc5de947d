// Tokens and keys of Node's JWT libraries, as JSON: one entry for each library.
//
// Each signs with keys of its own that end with this process, writes the headers and dates that are
// its default, and exports its public keys by its own means, or by Node's where it has none. See
// tests/providers.rs for what is asked.

import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSigner } from 'fast-jwt'
import * as jose from 'jose'
import jsonwebtoken from 'jsonwebtoken'
import nodeJose from 'node-jose'

const NOW = Math.floor(Date.now() / 1000)
const RSA = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']
const ECDSA = { ES256: 'p256', ES384: 'p384', ES512: 'p521', ES256K: 'secp256k1' }
const HMAC = ['HS256', 'HS384', 'HS512']
const ec = (namedCurve) => generateKeyPairSync('ec', { namedCurve })
const KEYS = {
  rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  p256: ec('P-256'),
  p384: ec('P-384'),
  p521: ec('P-521'),
  secp256k1: ec('secp256k1'),
  ed25519: generateKeyPairSync('ed25519'),
}
// As long as the longest digest (RFC 7518 section 3.2).
const SECRET = randomBytes(64)

function keyOf(algorithm) {
  if (RSA.includes(algorithm)) return 'rsa'
  if (HMAC.includes(algorithm)) return 'secret'
  return { EdDSA: 'ed25519', Ed25519: 'ed25519', ...ECDSA }[algorithm]
}

const pem = (name) => KEYS[name].privateKey.export({ type: 'pkcs8', format: 'pem' })
const privateJwk = (name) =>
  name === 'secret'
    ? { kty: 'oct', k: SECRET.toString('base64url') }
    : KEYS[name].privateKey.export({ format: 'jwk' })
const publicJwk = (name) =>
  name === 'secret' ? privateJwk(name) : KEYS[name].publicKey.export({ format: 'jwk' })

const base = (more) => ({
  iss: 'https://issuer.test', aud: 'api', sub: 'user-1', exp: NOW + 3600, ...more,
})
const { exp: _, ...forever } = base()

// Claims by form.
const FORMS = {
  default: base(),
  dates: base({ iat: NOW, nbf: NOW, jti: '0123' }),
  aud_list: base({ aud: ['other', 'api'] }),
  fraction: base({ exp: NOW + 3600.5, iat: NOW - 0.25, nbf: NOW - 0.75 }),
  zero_nbf: base({ nbf: 0, iat: 0 }),
  unicode: base({ sub: 'Zoë ☃ 🜁', name: 'Ærø\u2028' }),
  expired: base({ exp: NOW - 3600 }),
  early: base({ nbf: NOW + 3600 }),
  issued_later: base({ iat: NOW + 3600 }),
  wrong_audience: base({ aud: 'other' }),
  wrong_issuer: base({ iss: 'https://issuer.test/' }),
  no_exp: forever,
  text_exp: base({ exp: String(NOW + 3600) }),
}

/**
 * Every form by every algorithm; a form that the library itself refuses is left out.
 * `sign(claims, header, algorithm)`, `jwk(name)`.
 */
async function table(library, algorithms, sign, jwk) {
  const tokens = []
  const add = async (form, algorithm, claims, header) => {
    try {
      const token = await sign({ ...claims }, header, algorithm)
      tokens.push({ form, algorithm, key: keyOf(algorithm), token })
    } catch (error) {
      console.error(`${library}: ${form} ${algorithm}: ${error.message}`)
    }
  }
  for (const algorithm of algorithms) {
    const kid = keyOf(algorithm)
    for (const [form, claims] of Object.entries(FORMS)) await add(form, algorithm, claims, { kid })
    await add('no_kid', algorithm, base(), {})
    await add('typ_at', algorithm, base(), { kid, typ: 'at+jwt' })
    await add('no_typ', algorithm, base(), { kid, typ: undefined })
  }
  const keys = {}
  for (const name of new Set(algorithms.map(keyOf))) keys[name] = { kid: name, ...(await jwk(name)) }
  const manifest = new URL(`node_modules/${library}/package.json`, `file://${process.cwd()}/`)
  const { version } = JSON.parse(readFileSync(manifest))
  return { library, version, now: NOW, keys, tokens }
}

function signWithJose(claims, header, algorithm) {
  const name = keyOf(algorithm)
  const key = name === 'secret' ? SECRET : KEYS[name].privateKey
  return new jose.SignJWT(claims).setProtectedHeader({ alg: algorithm, ...header }).sign(key)
}

function signWithJsonwebtoken(claims, { kid, ...header }, algorithm) {
  const name = keyOf(algorithm)
  const options = { algorithm, header }
  if (kid) options.keyid = kid
  // `iat` is its own where the claims have none.
  return jsonwebtoken.sign(claims, name === 'secret' ? SECRET : pem(name), options)
}

function signWithFastJwt(claims, { kid, typ, ...rest }, algorithm) {
  const name = keyOf(algorithm)
  const header = typ ? { ...rest, typ } : rest
  return createSigner({ key: name === 'secret' ? SECRET : pem(name), algorithm, kid, header })(claims)
}

async function signWithNodeJose(claims, { kid, ...header }, algorithm) {
  const key = await nodeJose.JWK.asKey({ ...privateJwk(keyOf(algorithm)), kid: keyOf(algorithm) })
  const options = { format: 'compact', fields: { alg: algorithm, ...header } }
  const signer = { key, reference: kid ? 'kid' : false }
  return nodeJose.JWS.createSign(options, signer).update(JSON.stringify(claims), 'utf8').final()
}

const withNodeJose = async (name) =>
  (await nodeJose.JWK.asKey({ ...privateJwk(name), kid: name })).toJSON(name === 'secret')

const all = [...RSA, ...Object.keys(ECDSA), 'EdDSA', ...HMAC]
const except = (...names) => all.filter((name) => !names.includes(name))
console.log(
  JSON.stringify([
    await table('jose', [...except('ES256K'), 'Ed25519'], signWithJose, (name) =>
      name === 'secret' ? privateJwk(name) : jose.exportJWK(KEYS[name].publicKey),
    ),
    await table('jsonwebtoken', except('ES256K', 'EdDSA'), signWithJsonwebtoken, publicJwk),
    await table('fast-jwt', except('ES256K'), signWithFastJwt, publicJwk),
    await table('node-jose', except('ES256K', 'EdDSA'), signWithNodeJose, withNodeJose),
  ]),
)
