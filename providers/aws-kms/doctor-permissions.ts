import type { Finding, Patient } from '../../src/domain/doctor.ts'
import type { Call, EnvelopeContext, Scheme } from '../../src/domain/provider.ts'
import type { KmsClient } from './client.ts'
import { type Answer, contextsToAsk, type KeyReading, mayDecrypt, mayEncrypt, maySign } from './doctor-keys.ts'
import { denialMeaning, grantFix, vendorErrorOf, vendorOf } from './doctor-words.ts'
import { SPELLING } from './translate.ts'

type Conditions = Parameters<typeof grantFix>[2]

/** Each right that is needed, and then those that are too many, as far as they can be asked for without effect. */
export async function* examinePermissions(
  client: KmsClient,
  reading: KeyReading,
  patients: readonly Patient[],
  arn: string | undefined,
  call: Call,
): AsyncIterable<Finding> {
  switch (reading.patient.use) {
    case 'sign':
      return yield* toSign(client, reading, arn, call)
    case 'unwrap':
      return yield* toUnwrap(client, reading, patients, arn, call)
    case 'wrap':
      return yield* toWrap(client, reading, arn, call)
    default:
      return reading.patient.use satisfies never
  }
}

const signConditions = (scheme: Scheme): Conditions => ({
  StringEquals: { 'kms:SigningAlgorithm': SPELLING[scheme].algorithm, 'kms:MessageType': SPELLING[scheme].messageType },
})

async function* toSign(client: KmsClient, reading: KeyReading, arn: string | undefined, call: Call) {
  const { reference, publicKey } = reading
  if (publicKey !== undefined) yield verdict('kms:GetPublicKey', reading, publicKey, undefined, arn)
  const { scheme, answer } = await askSign(client, reading, call)
  yield verdict('kms:Sign', reading, answer, signConditions(scheme), arn)
  if (answer.kind !== 'yes') return
  const other =
    scheme === 'ed25519'
      ? ({ algorithm: 'ED25519_PH_SHA_512', messageType: 'DIGEST' } as const)
      : ({ algorithm: 'ECDSA_SHA_256', messageType: 'RAW' } as const)
  const wide = await maySign(client, reference, other, call)
  if (wide.kind !== 'yes') return
  yield tooWide('kms:Sign', reading, {
    meaning: `our identity may also sign with ${other.algorithm} and ${other.messageType}, which no chain takes`,
    fix: `put this on the statement that allows kms:Sign: "Condition": ${JSON.stringify(signConditions(scheme))}`,
  })
}

/** Without the public key the scheme may be unknown: an algorithm that does not fit the key says which one does. */
async function askSign(
  client: KmsClient,
  { reference, scheme }: KeyReading,
  call: Call,
): Promise<{ scheme: Scheme; answer: Answer }> {
  const ask = async (asked: Scheme) => ({
    scheme: asked,
    answer: await maySign(client, reference, SPELLING[asked], call),
  })
  if (scheme !== undefined) return ask(scheme)
  const first = await ask('ed25519')
  const fits = first.answer.kind !== 'unclear' || vendorOf(first.answer.error)?.name !== 'InvalidKeyUsageException'
  const second = fits && first.answer.kind !== 'no' ? first : await ask('ecdsa-secp256k1')
  return second.answer.kind === 'yes' ? second : first
}

const contextConditions = (context: EnvelopeContext): Conditions => ({
  Null: { 'kms:EncryptionContext:pubkey': 'false' },
  'ForAllValues:StringEquals': { 'kms:EncryptionContextKeys': Object.keys(context) },
})

/** The first answer that is no refusal, or the first refusal. */
async function firstOf(
  contexts: readonly EnvelopeContext[],
  ask: (context: EnvelopeContext) => Promise<Answer>,
): Promise<Answer> {
  let first: Answer | undefined
  for (const context of contexts) {
    const answer = await ask(context)
    if (answer.kind !== 'no') return answer
    first ??= answer
  }
  return first ?? { kind: 'unclear', meaning: 'there is no context to ask with' }
}

async function* toUnwrap(
  client: KmsClient,
  reading: KeyReading,
  patients: readonly Patient[],
  arn: string | undefined,
  call: Call,
) {
  const { reference, patient } = reading
  const contexts = contextsToAsk(patient)
  const answer = await firstOf(contexts, context => mayDecrypt(client, reference, context, call))
  const conditions = contextConditions(contexts[0] ?? {})
  const finding = verdict('kms:Decrypt', reading, answer, conditions, arn)
  yield answer.kind === 'no' && patient.context === undefined ? withMadeUpContext(finding) : finding
  if (answer.kind !== 'yes') return
  if ((await mayDecrypt(client, reference, undefined, call)).kind === 'yes') {
    yield tooWide('kms:Decrypt', reading, {
      meaning: 'our identity may also open ciphertexts without a context, so rows of any key',
      fix: `put this on the statement that allows kms:Decrypt: "Condition": ${JSON.stringify(conditions)}`,
    })
  }
  const alsoWraps = patients.some(other => other.use === 'wrap' && other.reference === patient.reference)
  if (alsoWraps || (await mayEncrypt(client, reference, contexts[0] ?? {}, call)).kind !== 'yes') return
  yield tooWide('kms:Encrypt', reading, {
    meaning: 'our identity may also wrap: a signer only opens, and whoever takes it over could plant keys',
    fix: `take kms:Encrypt on ${reference} from the signer's identity; imports have one of their own`,
  })
}

async function* toWrap(client: KmsClient, reading: KeyReading, arn: string | undefined, call: Call) {
  const { reference, patient } = reading
  const contexts = contextsToAsk(patient)
  const answer = await firstOf(contexts, context => mayEncrypt(client, reference, context, call))
  const finding = verdict('kms:Encrypt', reading, answer, contextConditions(contexts[0] ?? {}), arn)
  yield answer.kind === 'no' && patient.context === undefined ? withMadeUpContext(finding) : finding
}

function verdict(
  permission: string,
  { patient, reference }: KeyReading,
  answer: Answer,
  conditions: Conditions,
  arn: string | undefined,
): Finding {
  const base = { check: 'permission', reference: patient.reference, permission } as const
  switch (answer.kind) {
    case 'yes':
      return { ...base, outcome: 'ok' }
    case 'no': {
      const meaning = denialMeaning(permission, answer.error)
      const explicit = vendorOf(answer.error)?.message.includes('explicit deny') === true
      const fix = explicit
        ? `take ${permission} on ${reference} out of the statement with "Effect": "Deny"`
        : grantFix(permission, reference, conditions, arn)
      return { ...base, outcome: 'failed', ...vendorErrorOf(answer.error), meaning, fix }
    }
    case 'unclear':
      return { ...base, outcome: 'skipped', ...vendorErrorOf(answer.error), meaning: answer.meaning }
    default:
      return answer satisfies never
  }
}

/** A policy that holds for the addresses that there are alone refuses a made-up one rightly. */
const withMadeUpContext = (finding: Finding): Finding => ({
  ...finding,
  meaning: `${finding.meaning} (asked with a made-up context; if the policy names addresses, ask with a row that is there)`,
})

const tooWide = (permission: string, { patient }: KeyReading, words: { meaning: string; fix: string }): Finding => ({
  check: 'permission',
  outcome: 'warning',
  reference: patient.reference,
  permission,
  ...words,
})
