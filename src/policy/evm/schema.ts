import { z } from 'zod'
import { distinct, LIST_MAX, problem } from '../fields.ts'
import { bound } from './bounds.ts'
import * as field from './fields.ts'
import { quote } from '../finding.ts'
import { callGrant } from './grants.ts'
import { NESTED_TYPES } from './known.ts'

const GRANTS_MAX = 10_000
const WINDOWS_MAX = 100
const SECONDS_MAX = 31_622_400
const BLOBS_MAX = 128
const PREFIX_BYTES_MIN = 8
const PREFIX_BYTES_MAX = 300
const MESSAGE_BYTES_MAX = 65_536

/** ERC-20: the standard's own functions, counted. */
const token = z.strictObject({
  token: field.address,
  /** Of all transfers and allowances of one transaction together; of one allowance as well. */
  maxPerTransaction: field.uint,
  /** Who may receive. */
  recipients: field.anyOrParties.optional(),
  /** Whose tokens `transferFrom` may move. */
  senders: field.anyOrParties.optional(),
  /** Who may be given an allowance. */
  spenders: field.parties.optional(),
  /** True: these spenders may be given an allowance above the cap. */
  unlimitedApprovals: z.boolean().optional(),
})

const spendWindow = z
  .strictObject({
    /** `native`: wei. `fee`: what transactions may cost, in wei. Else the address of a token. */
    asset: z.union([z.literal(['native', 'fee']), field.address]),
    /** Absent: all that leaves, whoever receives it. `each`: every receiver for itself. */
    destination: z.union([z.literal('each'), field.address]).optional(),
    seconds: z.number().int().min(60).max(SECONDS_MAX),
    max: field.uint,
  })
  .superRefine(({ asset, destination }, context) => {
    if (asset === 'fee' && destination !== undefined) {
      problem(context, 'a fee has no destination', 'Remove destination', ['destination'])
    }
  })

const evm = z.strictObject({
  /** The most a transaction may cost: gas limit times the most a unit may cost, and the same for blobs. */
  fee: z.strictObject({ maxWei: field.uint }).optional(),
  /** The most wei a transaction may move, calls inside it included. Absent: none. */
  maxWei: field.uint.optional(),
  /** Who may be paid wei, without a word: no call data. */
  payments: z.strictObject({ destinations: field.anyOrParties }).optional(),
  calls: z.array(callGrant(false)).max(GRANTS_MAX).optional(),
  /** Functions that change who rules a contract or what its code is. */
  sensitiveCalls: z.array(callGrant(true)).max(GRANTS_MAX).optional(),
  tokens: z
    .array(token)
    .max(GRANTS_MAX)
    .superRefine((list, context) => distinct(list, one => one.token, context))
    .optional(),
  /** Contracts may be created. `initCodeHashes`: keccak-256 of the whole call data. */
  create: z.strictObject({ initCodeHashes: z.union([z.literal('any'), z.array(field.hash).max(LIST_MAX)]) }).optional(),
  /** Transactions of type 3 (EIP-4844), with so many blobs. */
  blobs: z.strictObject({ max: z.number().int().min(1).max(BLOBS_MAX) }).optional(),
  /**
   * EIP-7702: accounts may be given this code, by signing an authorization and by sending one (type 4). The zero address
   * takes the code away again. `anyChain`: also authorizations for every chain there is.
   */
  setCode: z.strictObject({ codes: field.addresses, anyChain: z.boolean().optional() }).optional(),
  /** The one field that limits instead of granting: the most that may leave within any window of so many seconds. */
  windows: z
    .array(spendWindow)
    .max(WINDOWS_MAX)
    .superRefine((list, context) =>
      distinct(list, ({ asset, destination, seconds }) => `${asset} ${destination} ${seconds}`, context),
    )
    .optional(),
})

const prefix = z.string().superRefine((text, context) => {
  let fits = text.length >= PREFIX_BYTES_MIN && text.length <= PREFIX_BYTES_MAX
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) < 0x20 || text.charCodeAt(at) > 0x7e) fits = false
  if (fits) return
  const fix = `Write ${PREFIX_BYTES_MIN} to ${PREFIX_BYTES_MAX} printable ASCII characters that say what is signed`
  problem(context, `${quote(text)} is not a beginning that sets messages apart`, fix)
})

const message = z.strictObject({
  /** The message begins with exactly these bytes. */
  prefix,
  maxBytes: z.number().int().min(1).max(MESSAGE_BYTES_MAX),
})

/** A domain is matched whole. Null: the domain has no such field. Salt is never granted. */
const domain = z.strictObject({
  name: z.string().max(300).nullable(),
  version: z.string().max(300).nullable(),
  chainId: field.uint,
  verifyingContract: field.address,
})

const typedData = z
  .strictObject({
    domain,
    primaryType: z.string().min(1).max(300),
    /**
     * What each field of the message may be, by its path: `spender`, `details.amount`. A field without a bound is not
     * granted. With `entries` for a list, each of them is judged by the bound of `path[]` or the bounds below it.
     */
    fields: z.record(z.string().min(1).max(300), bound),
    /** What the permits (ERC-2612, Permit2, ERC-3009) may give away, and for how long. They are denied without it. */
    permit: z
      .strictObject({ maxAmount: field.uint, maxLifetimeSeconds: z.number().int().min(1).max(SECONDS_MAX) })
      .optional(),
    /** True: the amount of a permit has no cap; its lifetime still has. */
    unlimitedApprovals: z.boolean().optional(),
  })
  .superRefine(({ primaryType, fields }, context) => {
    const nested = NESTED_TYPES.get(primaryType) ?? []
    for (const path of nested) {
      if (fields[path] === 'nested') continue
      problem(context, `${path} of ${primaryType} describes a call`, 'Write "nested"; the call is judged by evm', [
        'fields',
        path,
      ])
    }
    for (const [path, bound] of Object.entries(fields)) {
      if (bound !== 'nested' || nested.includes(path)) continue
      problem(context, `${path} of ${primaryType} describes no call`, 'Write another bound', ['fields', path])
    }
  })

const evmRules = {
  evm: evm.optional(),
  /** SEP-53 and EIP-191. */
  messages: z.array(message).max(GRANTS_MAX).optional(),
  /** EIP-712. */
  typedData: z.array(typedData).max(GRANTS_MAX).optional(),
  /** True: any 32 bytes may be signed. Whatever else the policy says is worth nothing then. */
  rawDigests: z.boolean().optional(),
}

/** The part of a policy for EVM chains, messages and digests. Grants only; what is absent grants nothing. */
export const evmRulesSchema = z.strictObject(evmRules)

export type EvmRulesDocument = z.input<typeof evmRulesSchema>
export type EvmRules = z.output<typeof evmRulesSchema>
export type EvmGrants = z.output<typeof evm>
export type TokenGrant = z.output<typeof token>
export type EvmWindow = z.output<typeof spendWindow>
export type MessageGrant = z.output<typeof message>
export type TypedDataGrant = z.output<typeof typedData>
