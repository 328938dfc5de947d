// A real identity provider (oidc-provider): discovery, keys, and access tokens as JWTs for a client
// with its own credentials. Prints its issuer as JSON once it listens; ends with its standard input.

import { createServer } from 'node:http'
import { randomBytes } from 'node:crypto'
import { exportJWK, generateKeyPair } from 'jose'
import Provider from 'oidc-provider'

const key = async (algorithm) => ({
  ...(await exportJWK((await generateKeyPair(algorithm, { extractable: true })).privateKey)),
  use: 'sig',
  alg: algorithm,
})
const algorithms = ['RS256', 'ES256', 'PS256', 'EdDSA']
const secret = randomBytes(16).toString('hex')

const server = createServer()
await new Promise((listening) => server.listen(0, '127.0.0.1', listening))
const issuer = `http://127.0.0.1:${server.address().port}`
const provider = new Provider(issuer, {
  jwks: { keys: await Promise.all(algorithms.map(key)) },
  cookies: { keys: [randomBytes(16).toString('hex')] },
  clients: [
    {
      client_id: 'caller',
      client_secret: secret,
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
    },
  ],
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      // `urn:api:RS256` is a resource whose tokens are signed by RS256.
      getResourceServerInfo: (_context, resource) => ({
        scope: 'score.invoke',
        audience: resource,
        accessTokenFormat: 'jwt',
        accessTokenTTL: 600,
        jwt: { sign: { alg: resource.split(':').pop() } },
      }),
    },
  },
})
server.on('request', provider.callback())
console.log(JSON.stringify({ issuer, client: 'caller', secret, algorithms }))
process.stdin.on('end', () => process.exit()).resume()
