import { deny, type Finding, undecided } from '../finding.ts'
import { lowerAddress } from './fields.ts'
import { UNLIMITED } from './known.ts'
import type { TypedDataGrant } from './schema.ts'

const NEVER = 1n << 256n

/** What a signed permit gives away. */
export interface Permit {
  readonly gives: ReadonlyArray<{
    readonly token: string
    readonly to: string
    /** `all`: every token of the account, or one that is not counted. */
    readonly amount: bigint | 'all'
  }>
  /** Until when, in seconds since the epoch; every limit there is. */
  readonly ends: readonly bigint[]
}

type Fields = Readonly<Record<string, unknown>>

/** @see ERC-2612, ERC-4494, ERC-3009; the permit of DAI; Permit2 */
const READERS: ReadonlyMap<string, (message: Fields, contract: string) => Permit | undefined> = new Map([
  ['Permit', readPermit],
  ['PermitSingle', ({ details, spender, sigDeadline }) => readAllowances([details], spender, sigDeadline)],
  ['PermitBatch', ({ details, spender, sigDeadline }) => readAllowances(details, spender, sigDeadline)],
  ['PermitTransferFrom', readTransfer],
  ['PermitWitnessTransferFrom', readTransfer],
  ['PermitBatchTransferFrom', ({ permitted, spender, deadline }) => readTransfers(permitted, spender, deadline)],
  ['PermitBatchWitnessTransferFrom', ({ permitted, spender, deadline }) => readTransfers(permitted, spender, deadline)],
  ['TransferWithAuthorization', readAuthorization],
  ['ReceiveWithAuthorization', readAuthorization],
])

/** By its name: one that we cannot read is no less a permit. */
export const isPermit = (primaryType: string): boolean =>
  READERS.has(primaryType) || primaryType.toLowerCase().includes('permit')

/** @param contract  of the domain, in lower case. */
export const permitOf = (primaryType: string, message: Fields, contract: string): Permit | undefined =>
  READERS.get(primaryType)?.(message, contract)

function readPermit(message: Fields, token: string): Permit | undefined {
  const to = lowerAddress(message['spender'])
  const { value, allowed, tokenId, deadline, expiry } = message
  const end = typeof expiry === 'bigint' && deadline === undefined ? (expiry === 0n ? NEVER : expiry) : deadline
  if (to === undefined || typeof end !== 'bigint') return undefined
  const amounts = [value, allowed, tokenId].filter(one => one !== undefined)
  const [amount] = amounts
  if (amounts.length !== 1) return undefined
  if (amount === allowed && typeof allowed === 'boolean')
    return { gives: [{ token, to, amount: allowed ? 'all' : 0n }], ends: [end] }
  if (typeof amount !== 'bigint') return undefined
  return { gives: [{ token, to, amount: value === undefined ? 'all' : amount }], ends: [end] }
}

function readAllowances(details: unknown, spender: unknown, sigDeadline: unknown): Permit | undefined {
  const to = lowerAddress(spender)
  if (to === undefined || typeof sigDeadline !== 'bigint' || !Array.isArray(details)) return undefined
  const gives: Permit['gives'][number][] = []
  const ends = [sigDeadline]
  for (const detail of details) {
    const give = readAmount(detail, to)
    const expiration = isFields(detail) ? detail['expiration'] : undefined
    if (give === undefined || typeof expiration !== 'bigint') return undefined
    gives.push(give)
    ends.push(expiration)
  }
  return { gives, ends }
}

function readTransfer({ permitted, spender, deadline }: Fields): Permit | undefined {
  return readTransfers([permitted], spender, deadline)
}

function readTransfers(permitted: unknown, spender: unknown, deadline: unknown): Permit | undefined {
  const to = lowerAddress(spender)
  if (to === undefined || typeof deadline !== 'bigint' || !Array.isArray(permitted)) return undefined
  const gives = permitted.map(one => readAmount(one, to)).filter(one => one !== undefined)
  return gives.length === permitted.length ? { gives, ends: [deadline] } : undefined
}

function readAuthorization({ to: receiver, value, validBefore }: Fields, token: string): Permit | undefined {
  const to = lowerAddress(receiver)
  if (to === undefined || typeof value !== 'bigint' || typeof validBefore !== 'bigint') return undefined
  return { gives: [{ token, to, amount: value }], ends: [validBefore] }
}

function readAmount(entry: unknown, to: string): Permit['gives'][number] | undefined {
  if (!isFields(entry)) return undefined
  const token = lowerAddress(entry['token'])
  const { amount } = entry
  return token === undefined || typeof amount !== 'bigint' ? undefined : { token, to, amount }
}

export const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Each token within the cap, and no permit longer than it may be. */
export function permitFinding(grant: TypedDataGrant, permit: Permit | undefined, now: number): Finding {
  if (grant.permit === undefined) return deny(`${grant.primaryType} is a permit; its grant has no caps for permits`)
  if (permit === undefined) return undecided(`${grant.primaryType} is a permit that cannot be read`)
  if (!Number.isSafeInteger(now) || now < 0) return undecided('the time is not known')
  const { maxAmount, maxLifetimeSeconds } = grant.permit
  const latest = BigInt(Math.floor(now / 1000) + maxLifetimeSeconds)
  for (const end of permit.ends) {
    if (end > latest) return deny(`the permit ends at ${end}, which is more than ${maxLifetimeSeconds} seconds ahead`)
  }
  if (grant.unlimitedApprovals === true) return undefined
  const sums = new Map<string, bigint>()
  for (const { token, amount } of permit.gives) {
    if (amount === 'all') return deny(`the permit gives away all of ${token}`)
    const sum = (sums.get(token) ?? 0n) + amount
    sums.set(token, sum)
    if (amount < 0n || amount >= UNLIMITED || sum > maxAmount) {
      return deny(`the permit gives ${sum} of the token ${token}, which is above ${maxAmount}`)
    }
  }
  return undefined
}
