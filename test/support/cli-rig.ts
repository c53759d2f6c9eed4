/** The command line against a data plane in memory: no socket, no process. */
import { Keypair, Networks, TransactionBuilder } from '@stellar/stellar-sdk/base'
import type { World } from '../../src/domain/ports.ts'
import { type CliOptions, type Ended, run } from './cli.ts'
import { openRig, type Rig, type RigOptions } from './rig.ts'

export interface CliRig {
  readonly rig: Rig
  /** Method and path of every request so far. */
  readonly asked: string[]
  /** Bodies of every request so far. */
  readonly bodies: string[]
  run(argv: readonly string[], options?: CliOptions): Promise<Ended>
}

const SCOPES = ['sign:*', 'read:*', 'explain:*']

/** @param answer  instead of the rig, for answers that it never gives */
export async function openCliRig(
  options: RigOptions = {},
  answer?: (path: string, init: RequestInit) => Response | undefined,
): Promise<CliRig> {
  const rig = await openRig({ log: 'memory', ...options })
  const [asked, bodies]: [string[], string[]] = [[], []]
  const world: World = {
    clock: rig.clock,
    random: { bytes: length => crypto.getRandomValues(new Uint8Array(length)) },
    fetch: async (url, init) => {
      const { pathname } = new URL(url)
      asked.push(`${init.method} ${pathname}`)
      if (typeof init.body === 'string') bodies.push(init.body)
      return answer?.(pathname, init) ?? rig.http(pathname, init)
    },
  }
  const token = await rig.token(SCOPES)
  const service = { COUNTERSIGN_URL: 'http://rig.test', COUNTERSIGN_TOKEN: token }
  return {
    rig,
    asked,
    bodies,
    run: (argv, { env, ...more } = {}) => run(argv, { world, env: { ...service, ...env }, ...more }),
  }
}

/** The second opinion on the first signature of an envelope. */
export function verified(envelope: string, address: string): boolean {
  const transaction = TransactionBuilder.fromXdr(envelope, Networks.TESTNET)
  const [first] = transaction.signatures
  return Keypair.fromPublicKey(address).verify(transaction.hash(), Buffer.from(first?.signature.toBytes() ?? []))
}
