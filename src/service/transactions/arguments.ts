import { fromHex } from '../../bytes/hex.ts'
import { isAccountAddress, isContractAddress } from '../../chains/stellar/index.ts'
import { malformed, type SignerError } from '../../domain/errors.ts'
import type { ArgumentShape, CallValue, IntegerType, TransactionTemplate } from '../../domain/transactions.ts'

/** A template with a caller's values in it. */
export interface FilledTemplate {
  readonly contract: string
  readonly arguments: readonly CallValue[]
  /** Addresses that the caller named as those who have to authorize the call. */
  readonly demanded: ReadonlySet<string>
}

/** What the bounds of a template may refer to. */
export interface Filling {
  readonly template: Pick<TransactionTemplate, 'contract' | 'arguments'>
  /** Addresses that may be named as signers. */
  readonly signers: ReadonlySet<string>
  /** The account of a key, by the name of the key. */
  accountOf(key: string): string
}

/**
 * Puts values into a template, every one within its bounds, none missing and none too many.
 * @throws `request/malformed` with the path of the value
 */
export function fillTemplate(given: Readonly<Record<string, unknown>>, filling: Filling): FilledTemplate {
  const { template } = filling
  const open = template.arguments.filter(({ value, key }) => value === undefined && key === undefined)
  for (const name of Object.keys(given)) {
    if (open.some(argument => argument.name === name)) continue
    const wanted = open.map(argument => argument.name).join(', ') || 'none'
    throw malformed(`arguments.${name.slice(0, 64)}`, 'is no argument that this template takes', `give ${wanted}`)
  }
  const demanded = new Set<string>()
  const reading: Reading = { signers: filling.signers, demanded }
  const values: CallValue[] = []
  let { contract } = template
  for (const { name, shape, as, value, key } of template.arguments) {
    const path = `arguments.${name}`
    const raw = key === undefined ? (value === undefined ? given[name] : value) : filling.accountOf(key)
    if (raw === undefined) throw malformed(path, 'is missing', `give ${wantedText(shape)}`)
    const read = readValue(shape, raw, path, reading)
    if (as === 'argument') values.push(read)
    else if (read.kind !== 'address') throw malformed(path, 'is not an address', 'give a C… or G… address')
    else if (as === 'contract') contract = contractOf(read.address, path)
    else demanded.add(read.address)
  }
  if (contract === undefined) throw malformed('arguments', 'name no contract', 'give the argument that says which')
  return { contract, arguments: values, demanded }
}

function contractOf(address: string, path: string): string {
  if (isContractAddress(address)) return address
  throw malformed(path, 'is not a contract', 'give a C… address')
}

interface Reading {
  readonly signers: ReadonlySet<string>
  readonly demanded: Set<string>
}

const BITS: Readonly<Record<IntegerType, readonly [signed: boolean, bits: bigint]>> = {
  u32: [false, 32n],
  i32: [true, 32n],
  u64: [false, 64n],
  i64: [true, 64n],
  u128: [false, 128n],
  i128: [true, 128n],
  u256: [false, 256n],
  i256: [true, 256n],
  timepoint: [false, 64n],
  duration: [false, 64n],
}

/** Both ends included. */
export function rangeOf(type: IntegerType): readonly [least: bigint, most: bigint] {
  const [signed, bits] = BITS[type]
  return signed ? [-(1n << (bits - 1n)), (1n << (bits - 1n)) - 1n] : [0n, (1n << bits) - 1n]
}

function readValue(shape: ArgumentShape, raw: unknown, path: string, reading: Reading): CallValue {
  switch (shape.type) {
    case 'bool':
      if (typeof raw !== 'boolean') throw unfit(shape, path)
      return { kind: 'bool', value: raw }
    case 'symbol':
    case 'string':
      return { kind: shape.type, text: readText(shape, raw, path) }
    case 'bytes': {
      const bytes = typeof raw === 'string' ? fromHex(raw, 'lower') : undefined
      if (bytes === undefined || typeof raw !== 'string') throw unfit(shape, path)
      within(bytes.length, shape, path, 'bytes')
      return { kind: 'bytes', hex: raw }
    }
    case 'address':
      return { kind: 'address', address: readAddress(shape, raw, path, reading) }
    case 'vec': {
      if (!Array.isArray(raw)) throw unfit(shape, path)
      within(raw.length, shape, path, 'entries')
      return {
        kind: 'vec',
        items: raw.map((one: unknown, at) => readValue(shape.items, one, `${path}.${at}`, reading)),
      }
    }
    case 'struct':
      return { kind: 'struct', fields: readFields(shape, raw, path, reading) }
    default:
      return { kind: 'integer', type: shape.type, value: readInteger(shape, raw, path) }
  }
}

function readFields(shape: Extract<ArgumentShape, { type: 'struct' }>, raw: unknown, path: string, reading: Reading) {
  if (raw === null || typeof raw !== 'object' || Array.isArray(raw)) throw unfit(shape, path)
  const given = raw as Readonly<Record<string, unknown>>
  const surplus = Object.keys(given).find(name => !shape.fields.some(field => field.name === name))
  if (surplus !== undefined) throw malformed(`${path}.${surplus.slice(0, 64)}`, 'is not a field', wantedText(shape))
  return shape.fields.map(({ name, shape: inner }) => {
    const value = Object.hasOwn(given, name) ? given[name] : undefined
    if (value === undefined) throw malformed(`${path}.${name}`, 'is missing', `give ${wantedText(inner)}`)
    return { name, value: readValue(inner, value, `${path}.${name}`, reading) }
  })
}

/** A whole number, or decimal text where JavaScript could not hold it. */
function readInteger(shape: Extract<ArgumentShape, { type: IntegerType }>, raw: unknown, path: string): bigint {
  const plain = typeof raw === 'number' && Number.isSafeInteger(raw)
  if (!plain && (typeof raw !== 'string' || !/^(0|-?[1-9][0-9]{0,77})$/.test(raw))) throw unfit(shape, path)
  const value = BigInt(raw)
  const [least, most] = rangeOf(shape.type)
  // A bound beyond the width of the type is none: in the call it would be another number.
  const min = shape.min === undefined || shape.min < least ? least : shape.min
  const max = shape.max === undefined || shape.max > most ? most : shape.max
  if (value < min || value > max) throw malformed(path, `is ${String(value)}`, `give ${min} to ${max}`)
  return value
}

function readText(shape: Extract<ArgumentShape, { type: 'symbol' | 'string' }>, raw: unknown, path: string): string {
  if (typeof raw !== 'string') throw unfit(shape, path)
  if (shape.type === 'symbol' && !/^[A-Za-z0-9_]{0,32}$/.test(raw)) throw unfit(shape, path)
  if (!raw.isWellFormed()) throw unfit(shape, path)
  within(new TextEncoder().encode(raw).length, shape, path, 'bytes')
  listed(shape.oneOf, raw, path)
  return raw
}

function readAddress(
  shape: Extract<ArgumentShape, { type: 'address' }>,
  raw: unknown,
  path: string,
  { signers, demanded }: Reading,
): string {
  if (typeof raw !== 'string' || (!isAccountAddress(raw) && !isContractAddress(raw))) throw unfit(shape, path)
  listed(shape.oneOf, raw, path)
  if (shape.signer) {
    if (!signers.has(raw)) throw malformed(path, 'is not one of the signers of this template', 'give one that it names')
    demanded.add(raw)
  }
  return raw
}

function listed(oneOf: readonly string[] | undefined, value: string, path: string): void {
  if (oneOf === undefined || oneOf.includes(value)) return
  throw malformed(path, 'is not one of the values that this template takes', 'give one that its configuration lists')
}

function within(
  length: number,
  { minLength, maxLength }: { readonly minLength: number; readonly maxLength: number },
  path: string,
  unit: string,
): void {
  if (length >= minLength && length <= maxLength) return
  throw malformed(path, `has ${length} ${unit}`, `give ${minLength} to ${maxLength}`)
}

const unfit = (shape: ArgumentShape, path: string): SignerError<'request/malformed'> =>
  malformed(path, `is not ${wantedText(shape)}`, 'see the template')

function wantedText(shape: ArgumentShape): string {
  switch (shape.type) {
    case 'bool':
      return 'true or false'
    case 'symbol':
      return 'a symbol: up to 32 of A-Z a-z 0-9 _'
    case 'string':
      return 'a text'
    case 'bytes':
      return 'bytes in lower-case hex'
    case 'address':
      return 'a G… or C… address'
    case 'vec':
      return 'a list'
    case 'struct':
      return `an object of ${shape.fields.map(({ name }) => name).join(', ')}`
    default:
      return `a whole number (${shape.type}), as decimal text where it is large`
  }
}
