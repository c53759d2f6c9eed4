import type { Chain } from '../domain/key.ts'
import type { Target } from '../service/migrate/types.ts'
import type { CliContext } from './context.ts'
import { readText } from './input.ts'
import { given } from './options.ts'

export interface TargetFlags {
  readonly chain: Chain
  readonly network?: string
  readonly provider: string
  /** A file. */
  readonly policy?: string
}

const POLICY_BYTES_MAX = 1_048_576

/** Where a new key goes and what it may do, whether it is made or brought. @throws `request/malformed` */
export async function targetOf({ terminal }: CliContext, flags: TargetFlags): Promise<Target> {
  const { chain, network = chain === 'evm' ? 'sepolia' : 'testnet', provider, policy: path } = flags
  const policy =
    path === undefined ? undefined : await readText(terminal, { field: '--policy', path, bytesMax: POLICY_BYTES_MAX })
  return { chain, network, provider, ...given({ policy }) }
}
