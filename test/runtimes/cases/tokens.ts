import { create, devPublicKey, devReference } from '../../../providers/mock/index.ts'
import { authorize } from '../../../src/access/authorize.ts'
import { createTokenVerifier } from '../../../src/access/tokens.ts'
import { toBase64 } from '../../../src/bytes/base64.ts'
import { type Cases, outcome } from '../report.ts'
import { call, fixedClock, NOW, providerWorld } from '../world.ts'

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const url = (bytes: Uint8Array): string => toBase64(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')

export const ISSUER = 'https://issuer.example'
export const AUDIENCE = 'countersign'
const IAT = Math.floor(NOW / 1000) - 10
export const GOOD_CLAIMS = {
  iss: ISSUER,
  aud: AUDIENCE,
  sub: 'payments',
  jti: 'token-1',
  iat: IAT,
  exp: IAT + 300,
  scope: 'sign:treasury sign:vault read:treasury',
}

/** A token as an issuer makes it, signed by a development key: Ed25519 gives the same bytes every time. */
export async function mint(
  claims: object = GOOD_CLAIMS,
  header: object = { alg: 'EdDSA', kid: 'parity', typ: 'at+jwt' },
): Promise<string> {
  const issuer = await create({ kind: 'mock' }, providerWorld('issuer'))
  const text = `${url(utf8(JSON.stringify(header)))}.${url(utf8(JSON.stringify(claims)))}`
  const { signature } = await issuer.sign(
    devReference('ed25519', 'issuer'),
    { scheme: 'ed25519', message: utf8(text) },
    call(),
  )
  return `Bearer ${text}.${url(signature)}`
}

export const openVerifier = () =>
  createTokenVerifier({
    jwks: { keys: [{ kty: 'OKP', crv: 'Ed25519', x: url(devPublicKey('issuer')), kid: 'parity', alg: 'EdDSA' }] },
    issuer: ISSUER,
    audience: AUDIENCE,
    clock: fixedClock(),
  })

const without = (name: string) => Object.fromEntries(Object.entries(GOOD_CLAIMS).filter(([key]) => key !== name))

export const tokenCases: Cases = {
  'M-40 a good token, and every single fault': async () => {
    const verify = openVerifier()
    const good = await mint()
    const tokens = [
      good,
      undefined,
      '',
      good.replace('Bearer', 'bearer'),
      `${good} `,
      `${good.slice(0, -2)}AA`,
      `${good}.x`,
      await mint({ ...GOOD_CLAIMS, exp: IAT - 100, iat: IAT - 400 }),
      await mint({ ...GOOD_CLAIMS, exp: IAT + 90_000 }),
      await mint({ ...GOOD_CLAIMS, iss: 'https://other.example' }),
      await mint({ ...GOOD_CLAIMS, aud: 'other' }),
      await mint({ ...GOOD_CLAIMS, sub: 7 }),
      await mint(GOOD_CLAIMS, { alg: 'none', kid: 'parity', typ: 'at+jwt' }),
      await mint(GOOD_CLAIMS, { alg: 'ES256', kid: 'parity', typ: 'at+jwt' }),
      await mint(GOOD_CLAIMS, { alg: 'EdDSA', kid: 'unknown', typ: 'at+jwt' }),
      ...(await Promise.all(Object.keys(GOOD_CLAIMS).map(name => mint(without(name))))),
    ]
    return [tokens, await Promise.all(tokens.map(token => outcome(() => verify(token))))]
  },
  'M-40 scopes': async () => {
    const caller = await openVerifier()(await mint())
    const asked = [
      ['sign', 'treasury'],
      ['sign', 'other'],
      ['read', 'treasury'],
      ['read', 'vault'],
    ] as const
    return Promise.all(asked.map(([action, key]) => outcome(() => authorize(caller, action, key))))
  },
}
