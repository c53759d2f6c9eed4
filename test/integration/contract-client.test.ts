/** Contract.Client of every stellar-sdk there is, with one line of ours, on a network that checks every signature. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import * as sdk17 from '@stellar/stellar-sdk'
import * as sdk14 from 'stellar-sdk-14'
import * as sdk15 from 'stellar-sdk-15'
import * as sdk16 from 'stellar-sdk-16'
import { createCountersign, type StellarSigner } from '../../src/client/index.ts'
import { beginRotation, rotationStep } from '../../src/service/rotate/index.ts'
import { ESCROW, type ExamplesWorld, openExamplesWorld, PAYEE } from '../support/examples-world.ts'
import { rotationDeps } from '../support/rotations.ts'

/** What every major has; the types of each are shown in test/types. */
type Sdk = Pick<typeof sdk17, 'contract' | 'authorizeEntry' | 'xdr'>
const SDKS: Readonly<Record<string, Sdk>> = {
  14: sdk14 as unknown as Sdk,
  15: sdk15 as unknown as Sdk,
  16: sdk16 as unknown as Sdk,
  17: sdk17,
}

interface Escrow {
  release(call: { to: string; amount: bigint }, options?: object): Promise<sdk17.contract.AssembledTransaction<number>>
}

let world: ExamplesWorld
let treasury: StellarSigner
let channel: StellarSigner
beforeAll(async () => {
  world = await openExamplesWorld()
  const countersign = createCountersign({ url: world.url, token: await world.rig.token() })
  treasury = await countersign.stellar('treasury')
  channel = await countersign.stellar('channel-1')
})
afterAll(() => world.close())

const clientOf = ({ contract }: Sdk, signer: StellarSigner): Promise<Escrow> =>
  contract.Client.from<Escrow>({ contractId: ESCROW, rpcUrl: world.rpcUrl, allowHttp: true, ...signer })

for (const [major, sdk] of Object.entries(SDKS)) {
  describe(`M-22 stellar-sdk ${major}`, () => {
    test('one signer calls a contract: built, signed and sent', async () => {
      const before = world.escrow.get(PAYEE) ?? 0n
      const release = await (await clientOf(sdk, treasury)).release({ to: PAYEE, amount: 10n })
      const { sendTransactionResponse: sent } = await release.signAndSend()
      expect(world.stub.accepted.at(-1)).toBe(sent?.hash ?? 'not sent')
      expect(world.escrow.get(PAYEE)).toBe(before - 10n)
    }, 20_000)

    test('two signers: one for the transaction, one for the authorization', async () => {
      const before = world.escrow.get(PAYEE) ?? 0n
      const release = await (await clientOf(sdk, channel)).release({ to: PAYEE, amount: 10n })
      expect(release.needsNonInvokerSigningBy()).toEqual([treasury.address])
      const { address, signAuthEntry } = treasury
      await release.signAuthEntries({ address, signAuthEntry, expiration: world.stub.sequence + 100 })
      await release.signAndSend()
      expect(world.escrow.get(PAYEE)).toBe(before - 10n)
    }, 20_000)

    test('authorizeEntry: what it verifies is in the entry', async () => {
      const release = await (await clientOf(sdk, channel)).release({ to: PAYEE, amount: 10n })
      const { auth } = (release.simulation as unknown as { result: { auth: [never] } }).result
      const entry = await sdk.authorizeEntry(auth[0], treasury.authorize, 2_000, treasury.networkPassphrase)
      const text = 'toXdr' in entry ? entry.toXdr('base64') : (entry as { toXDR(form: string): string }).toXDR('base64')
      const { credentials } = sdk17.xdr.SorobanAuthorizationEntry.fromXdr(text, 'base64')
      expect(JSON.stringify(credentials.toJson())).toContain('"signature_expiration_ledger":2000')
      expect(JSON.stringify(credentials.toJson())).toContain('public_key')
    }, 20_000)

    test('what policy refuses is the error of the SDK for a refusal', async () => {
      const release = await (await clientOf(sdk, treasury)).release({ to: PAYEE, amount: 10n }, { fee: '900000000' })
      const { UserRejected } = sdk.contract.AssembledTransaction.Errors
      await expect(release.sign()).rejects.toBeInstanceOf(UserRejected)
    }, 20_000)
  })
}

test('M-22 stellar-sdk 17: authorizations of CAP-71, which name the account', async () => {
  const upgraded = await openExamplesWorld({ upgradedAuth: true })
  try {
    const countersign = createCountersign({ url: upgraded.url, token: await upgraded.rig.token() })
    const [source, signer] = [await countersign.stellar('channel-1'), await countersign.stellar('treasury')]
    const options = { contractId: ESCROW, rpcUrl: upgraded.rpcUrl, allowHttp: true, ...source }
    const release = await (await sdk17.contract.Client.from<Escrow>(options)).release({ to: PAYEE, amount: 10n })
    const { address, signAuthEntry } = signer
    await release.signAuthEntries({ address, signAuthEntry, expiration: upgraded.stub.sequence + 100 })
    expect(release.built?.toXDR()).toBeDefined()
    expect(
      JSON.stringify(sdk17.xdr.TransactionEnvelope.fromXdr(release.built?.toXDR() ?? '', 'base64').toJson()),
    ).toContain('address_v2')
    await release.signAndSend()
    expect(upgraded.escrow.get(PAYEE)).toBe(990n)
  } finally {
    await upgraded.close()
  }
}, 20_000)

test('M-61 after a rotation both signers go on: the account builds and authorizes, and its new key signs', async () => {
  const own = await openExamplesWorld()
  try {
    const countersign = createCountersign({ url: own.url, token: await own.rig.token() })
    const [source, signer] = [await countersign.stellar('channel-1'), await countersign.stellar('treasury')]
    const deps = rotationDeps(own.rig)
    for (const [key, { address }] of Object.entries({ 'channel-1': source, treasury: signer })) {
      const next = await beginRotation(deps, key)
      own.stub.account(address, { signers: [{ key: next.address, weight: 1 }] })
      await rotationStep(deps, key, 'open')
      own.stub.account(address, { master: 0 })
      await rotationStep(deps, key, 'cutover')
    }
    const released = async (
      sdk: Sdk,
      authorize: (call: sdk17.contract.AssembledTransaction<number>) => Promise<void>,
    ) => {
      const options = { contractId: ESCROW, rpcUrl: own.rpcUrl, allowHttp: true, ...source }
      const release = await (await sdk.contract.Client.from<Escrow>(options)).release({ to: PAYEE, amount: 10n })
      expect(release.needsNonInvokerSigningBy()).toEqual([signer.address])
      await authorize(release)
      await release.signAndSend()
    }
    const { address, signAuthEntry } = signer
    const expiration = own.stub.sequence + 100
    await released(sdk17, call => call.signAuthEntries({ address, signAuthEntry, expiration }))
    for (const sdk of Object.values(SDKS)) {
      // Before 17 the SDK takes the account for the public key, unless the entry is authorized by the signer itself.
      const authorizeEntry = (entry: never, _: unknown, ledger: number, passphrase?: string) =>
        sdk.authorizeEntry(entry, signer.authorize, ledger, passphrase as never)
      await released(sdk, call =>
        call.signAuthEntries({ address, signAuthEntry, expiration, authorizeEntry: authorizeEntry as never }),
      )
    }
    expect(own.escrow.get(PAYEE)).toBe(950n)
  } finally {
    await own.close()
  }
}, 20_000)
