import type { OperationView } from '../domain/stellar.ts'
import { deny, type Finding, undecided, worst } from './finding.ts'
import { bodyOf, nth, type Rule } from './question.ts'
import type { SetOptionsGrant } from './schema.ts'

export const operationsRule: Rule = question => {
  const { operations = [], sensitiveOperations = [], trustLines, setOptions } = question.policy.rules
  const asked = bodyOf(question).operations
  if (asked.length === 0) return undecided('the transaction has no operation to judge')
  return worst(
    asked.map((operation, at) => {
      const { type } = operation
      if (type === 'unknown') return undecided(`${nth(at)} is of an unknown type (${operation.name})`)
      if (operations.includes(type) || sensitiveOperations.includes(type)) return undefined
      if (type === 'setOptions' && setOptions !== undefined) return undefined // its fields have a rule of their own
      if (type === 'changeTrust' && trustLines?.includes(operation.line) === true) return undefined
      return type === 'changeTrust' && trustLines !== undefined
        ? deny(`${nth(at)} changes the trust line for ${operation.line}, which the policy does not list`)
        : deny(`${nth(at)} is ${type}, which the policy does not list`)
    }),
  )
}

type SetOptions = Extract<OperationView, { type: 'setOptions' }>

/** Each field that is set needs its grant, unless `sensitiveOperations` grants the operation as it is. */
export const setOptionsRule: Rule = question => {
  const { sensitiveOperations = [], setOptions = {} } = question.policy.rules
  if (sensitiveOperations.includes('setOptions')) return undefined
  return worst(
    bodyOf(question).operations.map((operation, at) =>
      operation.type === 'setOptions' ? optionsFinding(operation, setOptions, at) : undefined,
    ),
  )
}

function optionsFinding(asked: SetOptions, granted: SetOptionsGrant, at: number): Finding {
  const { signer, homeDomain, inflationDestination } = asked
  const checks = [
    ['signer', signer === null || signerGranted(signer, granted)],
    ['masterWeight', inRange(asked.masterWeight, granted.masterWeight)],
    ['lowThreshold', inRange(asked.lowThreshold, granted.lowThreshold)],
    ['mediumThreshold', inRange(asked.mediumThreshold, granted.mediumThreshold)],
    ['highThreshold', inRange(asked.highThreshold, granted.highThreshold)],
    ['setFlags', flagsGranted(asked.setFlags, granted.setFlags)],
    ['clearFlags', flagsGranted(asked.clearFlags, granted.clearFlags)],
    ['homeDomain', homeDomain === null || granted.homeDomains?.includes(homeDomain) === true],
    [
      'inflationDestination',
      inflationDestination === null || granted.inflationDestinations?.includes(inflationDestination) === true,
    ],
  ] as const
  return worst(
    checks.map(([name, good]) =>
      good ? undefined : deny(`${nth(at)} sets ${name} to what the policy does not grant`),
    ),
  )
}

const signerGranted = (
  { key, weight }: NonNullable<SetOptions['signer']>,
  { signers = [] }: SetOptionsGrant,
): boolean => signers.some(entry => entry.key === key && entry.minWeight <= weight && weight <= entry.maxWeight)

const inRange = (asked: number | null, range: SetOptionsGrant['masterWeight']): boolean =>
  asked === null || (range !== undefined && range.min <= asked && asked <= range.max)

/** @see AccountFlags of the protocol */
const FLAG_BITS = { required: 1, revocable: 2, immutable: 4, clawback: 8 } as const

function flagsGranted(asked: number | null, granted: SetOptionsGrant['setFlags'] = []): boolean {
  if (asked === null) return true
  if (!Number.isInteger(asked) || asked < 0) return false
  const mask = granted.reduce((bits, name) => bits | FLAG_BITS[name], 0)
  return asked <= 0xff && (asked & ~mask) === 0
}
