/** The client's proofs at the door that production has. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { CountersignError, type CountersignOptions } from '../../../src/client/index.ts'
import { boundDoor, type ClientWorld, openClientWorld, URL_OF_RIG } from '../../support/client-world.ts'
import { EXAMPLE, NOW } from '../../support/rig.ts'

const PAYLOAD = { type: 'stellar-transaction', xdr: EXAMPLE }
const clock = { now: () => NOW, sleep: async () => {} }

let world: ClientWorld
before(async () => {
  world = await openClientWorld({ unguarded: true, door: await boundDoor([URL_OF_RIG]) })
})

const tokenFor: CountersignOptions['token'] = async ({ thumbprint }) =>
  world.rig.issuer.issue({
    subject: 'payments',
    scopes: ['sign:*', 'read:*'],
    confirmation: { jkt: await thumbprint() },
  })

describe('DPoP of the client at a real door', () => {
  test('Ed25519 and P-256: what the client signs is let in, with and without a body', async () => {
    const curves = [{ name: 'Ed25519' }, { name: 'ECDSA', namedCurve: 'P-256' }]
    for (const curve of curves) {
      const dpop = (await crypto.subtle.generateKey(curve, false, ['sign', 'verify'])) as CryptoKeyPair
      const countersign = world.client({ token: tokenFor, dpop, clock })
      const signer = await countersign.stellar('treasury')
      assert.equal((await signer.signTransaction(EXAMPLE)).error, undefined)
      assert.equal((await countersign.sign('treasury', PAYLOAD)).address, signer.address)
    }
    const auto = world.client({ token: tokenFor, clock })
    assert.equal((await auto.key('treasury')).network, 'testnet')
  })

  test('a stolen token is worth nothing: not as a bearer token, not with another key, not with a proof seen before', async () => {
    const owner = world.client({ token: tokenFor, clock })
    await owner.sign('treasury', PAYLOAD)
    const proven = world.sent.at(-1)
    const token = proven?.headers.get('authorization')?.slice('DPoP '.length) ?? ''
    const thieves = [{ token, dpop: false as const }, { token: () => token }]
    for (const thief of thieves) {
      const { code } = await world
        .client({ ...thief, clock })
        .sign('treasury', PAYLOAD)
        .then(
          () => assert.fail('let in'),
          (error: unknown) => error as { code: string },
        )
      assert.ok(['token/invalid', 'client/token'].includes(code))
    }
    const again = await world.rig.http('/v1/keys/treasury/sign', proven?.init)
    assert.equal(again.status, 401)
    assert.match(await again.text(), /used before/)
  })

  test('a body or an Idempotency-Key changed on the way is another request', async () => {
    const changes = [
      (init: RequestInit) => ({ ...init, body: JSON.stringify({ ...PAYLOAD, more: 1 }) }),
      (init: RequestInit) => ({ ...init, headers: { ...(init.headers as object), 'idempotency-key': 'other' } }),
    ]
    for (const change of changes) {
      const fetch = (url: string, init: RequestInit) => world.rig.http(url.slice(URL_OF_RIG.length), change(init))
      const error: unknown = await world
        .client({ token: tokenFor, clock, fetch })
        .sign('treasury', PAYLOAD)
        .catch((each: unknown) => each)
      assert.ok(error instanceof CountersignError)
      assert.equal(error.problem['reason'], 'the proof is for another request')
    }
  })

  test('a clock an hour behind is set by the first answer', async () => {
    const fetch = async (url: string, init: RequestInit) => {
      const response = await world.rig.http(url.slice(URL_OF_RIG.length), init)
      response.headers.set('date', new Date(NOW).toUTCString())
      return response
    }
    const late = { ...clock, now: () => NOW - 3_600_000 }
    const countersign = world.client({ token: tokenFor, clock: late, fetch })
    assert.equal((await countersign.sign('treasury', PAYLOAD)).keyVersion, 1)
  })
})
