import { toHex } from '../../bytes/hex.ts'
import type { TypedDataView } from '../../domain/evm.ts'
import type { PayloadParser } from '../../domain/payload.ts'
import { refuse } from '../refusal.ts'
import { fieldsOf } from './fields.ts'
import { chainIdOf } from './networks.ts'
import { recoverable } from './signature.ts'
import { hexText, quoted } from './texts.ts'
import { typedDataHash, typedDataOf } from './typed-data.ts'

const FIELDS = new Set(['type', 'typedData'])
const SENTENCES_MAX = 100

/**
 * `{type: 'evm-typed-data', typedData: {types, primaryType, domain, message}}`, as `eth_signTypedData_v4` takes it. The
 * domain must name the chain that the key is pinned to: without one, the signature is good on every chain.
 * @throws `payload/invalid` with the path of the field
 * @see EIP-712
 */
export const evmTypedData: PayloadParser = (payload, { network, address }) => {
  const { typedData: given } = fieldsOf(payload, FIELDS, '', 'an evm-typed-data')
  const typedData = typedDataOf(given)
  const { domain, primaryType, message } = typedData
  const own = chainIdOf(network)
  if (domain.chainId !== own) {
    const found = domain.chainId === undefined ? 'is missing' : `is ${domain.chainId}`
    throw refuse('typedData.domain.chainId', `${found}; the key is pinned to chain ${own}`)
  }
  const digest = typedDataHash(typedData)
  const view: TypedDataView = { kind: 'typed-data', network, domain, primaryType, message }
  const sentences = sentencesOf(view, address)
  return {
    type: 'evm-typed-data',
    input: { scheme: 'ecdsa-secp256k1', digest },
    hash: toHex(digest),
    sentence: `${sentences.slice(0, SHOWN).join('; ')}${leftOut(sentences.length - SHOWN)}; network ${network}.`,
    view,
    operations: [view.kind],
    slot: () => undefined,
    describe: () => ({
      json: { domain: jsonOf(domain), primaryType, message: jsonOf(message) },
      sentences: [
        ...sentences.slice(0, SENTENCES_MAX),
        ...(sentences.length > SENTENCES_MAX ? [leftOut(sentences.length - SENTENCES_MAX).slice(2)] : []),
      ],
    }),
    attach: (publicKey, signature) => ({ evmSignature: recoverable({ digest, signature, publicKey, address }).text }),
  }
}

/** In the audit record: what it is, and its first values. */
const SHOWN = 17

const leftOut = (count: number): string => (count > 0 ? `; and ${count} more values` : '')

/** What is signed and for whom, then each value of the message by its path. */
function sentencesOf({ domain, primaryType, message }: TypedDataView, address: string): readonly string[] {
  const { name, version, verifyingContract, chainId, salt } = domain
  const whose = [
    ...(name === undefined ? [] : [quoted(name)]),
    ...(version === undefined ? [] : [`version ${quoted(version)}`]),
    ...(verifyingContract === undefined ? [] : [`contract ${verifyingContract}`]),
    ...(chainId === undefined ? [] : [`chain ${chainId}`]),
    ...(salt === undefined ? [] : [`salt ${salt}`]),
  ]
  return [`Signs typed data ${primaryType} (EIP-712) as ${address} for ${whose.join(', ')}`, ...valuesOf(message, '')]
}

function valuesOf(value: unknown, path: string): readonly string[] {
  if (Array.isArray(value)) {
    if (value.length === 0) return [`${path} is empty`]
    return value.flatMap((each: unknown, at) => valuesOf(each, `${path}[${at}]`))
  }
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value).flatMap(([name, each]) => valuesOf(each, path === '' ? name : `${path}.${name}`))
  }
  return [`${path} is ${textOf(value)}`]
}

const textOf = (value: unknown): string =>
  typeof value !== 'string' ? String(value) : value.startsWith('0x') ? hexOrText(value) : quoted(value)

/** A string may look like bytes. */
const hexOrText = (value: string): string => (/^0x[0-9a-fA-F]*$/.test(value) ? hexText(value) : quoted(value))

/** Integers as decimal text. */
function jsonOf(value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}`
  if (Array.isArray(value)) return value.map(jsonOf)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, jsonOf(each)]))
}
