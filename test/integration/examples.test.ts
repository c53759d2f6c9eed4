/** The programs of examples/, run as a user runs them, against a data plane on loopback and networks that check signatures. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { FeeBumpTransaction, Keypair, Networks, TransactionBuilder } from '@stellar/stellar-sdk/base'
import { Transaction } from 'ethers'
import { ESCROW, type ExamplesWorld, openExamplesWorld, PAYEE } from '../support/examples-world.ts'
import { addressOf, VAULT_A, VAULT_B } from '../support/revocations.ts'

const ROOT = join(import.meta.dir, '../..')
let world: ExamplesWorld
let token: string

beforeAll(async () => {
  world = await openExamplesWorld()
  token = await world.rig.token(['sign:*', 'read:*', 'explain:*', 'submit:*'], 900)
})
afterAll(() => world.close())

interface Ran {
  readonly code: number | null
  /** Lines. */
  readonly out: readonly string[]
  readonly err: string
}

function run(example: string, ...args: readonly string[]): Promise<Ran> {
  const env = {
    PATH: process.env['PATH'] ?? '',
    COUNTERSIGN_URL: world.url,
    COUNTERSIGN_TOKEN: token,
    STELLAR_RPC_URL: world.rpcUrl,
    ETH_RPC_URL: world.ethUrl,
  }
  const child = spawn(process.execPath, [join('examples', example), ...args], { cwd: ROOT, env, timeout: 30_000 })
  let [out, err] = ['', '']
  child.stdout.on('data', part => (out += String(part)))
  child.stderr.on('data', part => (err += String(part)))
  return new Promise(resolve => void child.once('close', code => resolve({ code, out: out.trim().split('\n'), err })))
}

async function good(example: string, ...args: readonly string[]): Promise<readonly string[]> {
  const { code, out, err } = await run(example, ...args)
  expect([code, code === 0 ? '' : err]).toEqual([0, ''])
  return out
}

const signersOf = (transaction: Pick<FeeBumpTransaction, 'hash' | 'signatures'>, addresses: readonly string[]) =>
  transaction.signatures.map(({ signature }) =>
    addresses.find(address => Keypair.fromPublicKey(address).verify(transaction.hash(), signature)),
  )

describe('examples', () => {
  test('M-22 escrow release: contract.Client with one line of ours; the network takes it', async () => {
    const [line = ''] = await good('escrow-release.ts', ESCROW, PAYEE, '250')
    const [hash = ''] = line.split(' ')
    expect(world.stub.accepted).toContain(hash)
    expect(world.escrow.get(PAYEE)).toBe(750n)
  }, 30_000)

  test('M-24 payout batch: all signed, and the same when run again; with one that policy refuses, none', async () => {
    const { treasury } = world.addresses
    const refused = await run('payout-batch.ts', '1000', `${PAYEE}=10`, `${Keypair.random().publicKey()}=10`)
    expect([refused.code, refused.out]).toEqual([1, ['']])
    expect(refused.err).toMatch(/^requests\[1\]: .* is not a listed destination/)
    const lines = await good('payout-batch.ts', '1000', `${PAYEE}=10`, `${PAYEE}=20.5`)
    for (const [at, line] of lines.entries()) {
      const signed = TransactionBuilder.fromXDR(line.split(' ')[1] ?? '', Networks.TESTNET)
      expect(signersOf(signed, [treasury])).toEqual([treasury])
      expect(signed).toMatchObject({ sequence: String(1001 + at) })
    }
    expect(await good('payout-batch.ts', '1000', `${PAYEE}=10`, `${PAYEE}=20.5`)).toEqual(lines)
  }, 30_000)

  test('M-21 M-24 channel account and fee bump: three signatures by two keys, which the network takes', async () => {
    const { treasury, channel } = world.addresses
    const { sequence } = world.stub.account(channel)
    const [xdr = ''] = await good('channel-fee-bump.ts', String(sequence), PAYEE, '5')
    const bump = TransactionBuilder.fromXDR(xdr, Networks.TESTNET)
    if (!(bump instanceof FeeBumpTransaction)) throw new TypeError('no fee bump')
    expect(signersOf(bump.innerTransaction, [treasury, channel])).toEqual([channel, treasury])
    expect(signersOf(bump, [treasury, channel])).toEqual([treasury])
    expect(world.stub.apply(xdr)).toMatchObject({ kind: 'applied', success: true })
  }, 30_000)

  test('M-25 batch revoke: built, signed by three keys and sent by a template; run again, it is made once', async () => {
    const revocations = [
      [VAULT_A, PAYEE, '100', addressOf('admin-a')].join(','),
      [VAULT_B, PAYEE, '50', addressOf('admin-b')].join(','),
    ]
    const [line = ''] = await good('batch-revoke.ts', ...revocations)
    const [hash = '', status] = line.split(' ')
    expect([status, world.stub.accepted.filter(each => each === hash).length]).toEqual(['success', 1])
    expect(world.revocable.map(vault => vault.get(PAYEE))).toEqual([400n, 450n])
    const [again = ''] = await good('batch-revoke.ts', ...revocations)
    expect(again).toBe(line)
    expect(world.revocable.map(vault => vault.get(PAYEE))).toEqual([400n, 450n])
  }, 30_000)

  test('M-30 EIP-1559 payment with viem: sent as signed, by the account of the key', async () => {
    const to = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8'
    const [line = ''] = await good('evm-payment.ts', to, '0.01')
    const signed = Transaction.from(world.raw[0])
    expect([signed.hash, signed.type]).toEqual([line.split(' ')[0] ?? '', 2])
    expect([signed.from, signed.to, signed.value]).toEqual([world.addresses.deployer, to, 10n ** 16n])
    expect(line).toContain(' success ')
  }, 30_000)

  test('M-35 approval and verifier: a JWS that jose checks with the published keys, and no other', async () => {
    const [jws = ''] = await good('approval.ts', 'give', 'escrow 4711', 'order-1')
    expect(await good('approval.ts', 'check', jws)).toEqual(['demo.release escrow 4711 order-1'])
    const [head = '', , tail = ''] = jws.split('.')
    const claims = Buffer.from(JSON.stringify({ aud: 'payout-service', sub: 'escrow 9999' })).toString('base64url')
    const forged = await run('approval.ts', 'check', [head, claims, tail].join('.'))
    expect([forged.code, forged.out]).toEqual([1, ['']])
  }, 30_000)
})
