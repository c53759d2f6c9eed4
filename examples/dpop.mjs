/**
 * DPoP proofs (RFC 9449) with nothing but WebCrypto, for tokens that are bound to a key:
 *
 *   dpop.mjs new KEYFILE                                             a key in a file; prints its thumbprint (jkt)
 *   dpop.mjs proof KEYFILE METHOD URL [BODY [IDEMPOTENCY_KEY]]       a proof for one request with $COUNTERSIGN_TOKEN
 */
import { readFileSync, writeFileSync } from 'node:fs'

const [command, file, method, url, body = '', idempotencyKey] = process.argv.slice(2)
const P256 = { name: 'ECDSA', namedCurve: 'P-256' }
const base64url = bytes => Buffer.from(bytes).toString('base64url')
const sha256 = async text => base64url(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)))
const json = value => base64url(new TextEncoder().encode(JSON.stringify(value)))

if (command === 'new') {
  const { privateKey } = await crypto.subtle.generateKey(P256, true, ['sign', 'verify'])
  const { kty, crv, x, y, d } = await crypto.subtle.exportKey('jwk', privateKey)
  writeFileSync(file, JSON.stringify({ kty, crv, x, y, d }), { mode: 0o600, flag: 'wx' })
  console.log(await sha256(JSON.stringify({ crv, kty, x, y }))) // RFC 7638: these members in this order
} else {
  const { d, ...jwk } = JSON.parse(readFileSync(file, 'utf8'))
  const key = await crypto.subtle.importKey('jwk', { ...jwk, d }, P256, false, ['sign'])
  const claims = {
    jti: crypto.randomUUID(), // a proof is good for one request
    iat: Math.floor(Date.now() / 1000),
    htm: method,
    htu: url,
    ath: await sha256(process.env.COUNTERSIGN_TOKEN),
    ...(body === '' ? {} : { bh: await sha256(body) }), // ours: the proof is for this body
    ...(idempotencyKey === undefined ? {} : { ik: idempotencyKey }), // ours: and for this Idempotency-Key
  }
  const signed = `${json({ typ: 'dpop+jwt', alg: 'ES256', jwk })}.${json(claims)}`
  const signature = await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, key, new TextEncoder().encode(signed))
  console.log(`${signed}.${base64url(signature)}`)
}
