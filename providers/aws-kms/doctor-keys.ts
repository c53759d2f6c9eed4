import { DecryptCommand, DescribeKeyCommand, EncryptCommand, SignCommand } from '@aws-sdk/client-kms'
import type { Finding, Patient } from '../../src/domain/doctor.ts'
import { type AnySignerError, isSignerError } from '../../src/domain/errors.ts'
import type { Call, EnvelopeContext, Scheme } from '../../src/domain/provider.ts'
import type { KmsClient } from './client.ts'
import { describeKey } from './describe.ts'
import { isDenied, vendorErrorOf, vendorOf } from './doctor-words.ts'
import { isKeyArn, type Operation, SPELLING } from './translate.ts'

/** What a question got: the service would have done it, does not let us, or could not be brought to say. */
export type Answer =
  | { readonly kind: 'yes' }
  | { readonly kind: 'no'; readonly error: AnySignerError }
  | { readonly kind: 'unclear'; readonly error?: AnySignerError; readonly meaning: string }

export interface KeyReading {
  readonly patient: Patient
  readonly finding: Finding
  /** The ARN where it could be learnt, else what was asked for. */
  readonly reference: string
  readonly scheme?: Scheme
  /** sign: what GetPublicKey got. */
  readonly publicKey?: Answer
}

/** Two examinations differ in nothing but this: which key, and what is sent along. */
const TEXT = new TextEncoder().encode('countersign doctor dry run')
const made = (network: string): EnvelopeContext => ({ pubkey: 'doctor', key: 'doctor', version: '1', network })

const READ = (name: Operation['name']): Operation => ({ name, kind: 'read' })

export async function readKey(client: KmsClient, name: string, patient: Patient, call: Call): Promise<KeyReading> {
  return patient.use === 'sign' ? readSigningKey(client, name, patient, call) : readWrappingKey(client, patient, call)
}

async function readSigningKey(client: KmsClient, name: string, patient: Patient, call: Call): Promise<KeyReading> {
  const { reference } = patient
  const base = { check: 'key', reference } as const
  try {
    const facts = await describeKey(client, name, reference, call)
    const { scheme, protection } = facts
    const read = { patient, reference: facts.reference, scheme, publicKey: { kind: 'yes' } } as const
    const shown = { scheme, spec: SPELLING[scheme].keySpec, state: 'Enabled', protection, arn: facts.reference }
    if (patient.scheme !== undefined && patient.scheme !== scheme) {
      const meaning = `the key is for ${scheme}, and the binding says ${patient.scheme}`
      const fix = `bind a key of spec ${SPELLING[patient.scheme].keySpec}, or correct the chain of the binding`
      return { ...read, finding: { ...base, outcome: 'failed', facts: shown, meaning, fix } }
    }
    if (!isKeyArn(reference)) {
      const meaning = 'the reference is no key ARN, so it can come to mean another key'
      return { ...read, finding: { ...base, outcome: 'warning', facts: shown, meaning, fix: `pin ${facts.reference}` } }
    }
    return { ...read, finding: { ...base, outcome: 'ok', facts: shown } }
  } catch (error) {
    if (!isSignerError(error)) throw error
    const scheme = patient.scheme === undefined ? {} : { scheme: patient.scheme }
    const denied = isDenied(error)
    // The service looks at rights first: any other refusal means that this one was held.
    const publicKey: Answer = denied ? { kind: 'no', error } : spoke(error) ? { kind: 'yes' } : unclear(error)
    const finding: Finding = denied
      ? { ...base, outcome: 'skipped', meaning: 'without kms:GetPublicKey nothing can be learnt about the key' }
      : { ...base, ...keyTrouble(error, patient) }
    return { patient, reference, ...scheme, publicKey, finding }
  }
}

/** kms:DescribeKey is no right the signer needs; without it, trouble with the key shows in the dry run. */
async function readWrappingKey(client: KmsClient, patient: Patient, call: Call): Promise<KeyReading> {
  const { reference } = patient
  const base = { check: 'key', reference } as const
  try {
    const { output } = await client.attempt(READ('DescribeKey'), call, (kms, options) =>
      kms.send(new DescribeKeyCommand({ KeyId: reference }), options),
    )
    const { KeySpec = '', KeyUsage = '', KeyState = '', Arn = reference } = output.KeyMetadata ?? {}
    const facts = { spec: KeySpec, usage: KeyUsage, state: KeyState, arn: Arn }
    if (KeySpec !== 'SYMMETRIC_DEFAULT' || KeyUsage !== 'ENCRYPT_DECRYPT') {
      const meaning = 'this is no key for wrapping: a symmetric encryption key is needed'
      const fix = 'bind a key of spec SYMMETRIC_DEFAULT, or make one: `aws kms create-key --key-spec SYMMETRIC_DEFAULT`'
      return { patient, reference: Arn, finding: { ...base, outcome: 'failed', facts, meaning, fix } }
    }
    if (KeyState !== 'Enabled') {
      const trouble = stateTrouble(KeyState, reference)
      return { patient, reference: Arn, finding: { ...base, outcome: 'failed', facts, ...trouble } }
    }
    return { patient, reference: Arn, finding: { ...base, outcome: 'ok', facts } }
  } catch (error) {
    if (!isSignerError(error)) throw error
    const finding: Finding = isDenied(error)
      ? {
          ...base,
          outcome: 'skipped',
          meaning: 'kms:DescribeKey is not allowed, nor needed: the dry run shows what the key is good for',
        }
      : { ...base, ...keyTrouble(error, patient) }
    return { patient, reference, finding }
  }
}

/** AWS itself spoke, so the request got as far as the key. */
const spoke = (error: AnySignerError): boolean =>
  error.code !== 'provider/unavailable' &&
  error.code !== 'provider/malformed' &&
  !CREDENTIAL.includes(vendorOf(error)?.name ?? '')
const CREDENTIAL = [
  'UnrecognizedClientException',
  'InvalidSignatureException',
  'ExpiredTokenException',
  'IncompleteSignatureException',
  'MissingAuthenticationTokenException',
]

const unclear = (error: AnySignerError): Answer => ({ kind: 'unclear', error, meaning: reasonOf(error) })

export const reasonOf = (error: AnySignerError): string =>
  'reason' in error.detail ? error.detail.reason.replace(/^[A-Za-z]+: /, '') : error.code

function keyTrouble(error: AnySignerError, { reference, use }: Patient): Omit<Finding, 'check'> {
  const vendor = vendorOf(error)
  const said = { outcome: 'failed', ...vendorErrorOf(error) } as const
  switch (vendor?.name) {
    case 'NotFoundException': {
      const region = reference.split(':')[3]
      const meaning = 'AWS KMS knows no such key in the Region that is configured'
      const where =
        region === undefined ? 'check region and account' : `the ARN is of ${region}: check region and account`
      return { ...said, meaning, fix: `${where}; \`aws kms list-keys\` shows what there is` }
    }
    case 'DisabledException':
      return { ...said, facts: { state: 'Disabled' }, ...stateTrouble('Disabled', reference) }
    case 'KMSInvalidStateException': {
      const state = /pending deletion|pending import/.exec(vendor.message)?.[0] ?? 'unavailable'
      return { ...said, facts: { state }, ...stateTrouble(state, reference) }
    }
    case 'InvalidArnException':
      return { ...said, meaning: 'AWS KMS cannot read the reference', fix: 'use arn:aws:kms:REGION:ACCOUNT:key/ID' }
    default:
      break
  }
  if (error.code === 'key/unsupported' || vendor?.name === 'UnsupportedOperationException') {
    const meaning = error.code === 'key/unsupported' ? error.detail.reason : 'the key is of another kind'
    const spec = use === 'sign' ? 'ECC_NIST_EDWARDS25519 or ECC_SECG_P256K1, usage SIGN_VERIFY' : 'SYMMETRIC_DEFAULT'
    return { ...said, meaning, fix: `bind a key of spec ${spec}` }
  }
  if (error.code === 'provider/unavailable') {
    return {
      ...said,
      meaning: reasonOf(error),
      fix: 'try again; if it stays so, look at the AWS health page of the Region',
    }
  }
  return {
    ...said,
    meaning: reasonOf(error),
    fix: 'compare the reference with `aws kms describe-key`, and the endpoint with the Region',
  }
}

function stateTrouble(state: string, reference: string): { meaning: string; fix: string } {
  const meaning = `the key is in the state ${state} and does nothing`
  switch (state) {
    case 'Disabled':
      return { meaning, fix: `aws kms enable-key --key-id ${reference}` }
    case 'PendingDeletion':
    case 'pending deletion':
      return {
        meaning,
        fix: `aws kms cancel-key-deletion --key-id ${reference} && aws kms enable-key --key-id ${reference}`,
      }
    case 'PendingImport':
    case 'pending import':
      return { meaning, fix: `import the key material: aws kms get-parameters-for-import --key-id ${reference} …` }
    default:
      return {
        meaning,
        fix: `\`aws kms describe-key --key-id ${reference}\` shows the state; wait, or repair its custom key store`,
      }
  }
}

/**
 * Asks whether the service would do it. `refused` names errors that come from past the check of rights.
 * A service that does it instead of only checking gives `unclear`: what it made is dropped.
 */
async function dryRun(ask: Promise<unknown>, past: readonly string[] = []): Promise<Answer> {
  try {
    await ask
    return { kind: 'unclear', meaning: 'the service did what it was only to check: it knows no dry run' }
  } catch (error) {
    if (!isSignerError(error)) throw error
    const name = vendorOf(error)?.name ?? ''
    if (name === 'DryRunOperationException') return { kind: 'yes' }
    if (isDenied(error)) return { kind: 'no', error }
    return past.includes(name) ? { kind: 'yes' } : unclear(error)
  }
}

export interface SignQuestion {
  readonly algorithm: 'ED25519_SHA_512' | 'ED25519_PH_SHA_512' | 'ECDSA_SHA_256'
  readonly messageType: 'RAW' | 'DIGEST'
}

/** No signature is made: DryRun. What would be signed is no transaction of any chain. */
export function maySign(client: KmsClient, KeyId: string, question: SignQuestion, call: Call): Promise<Answer> {
  const { algorithm, messageType } = question
  const length = algorithm === 'ED25519_PH_SHA_512' ? 64 : 32
  const Message = messageType === 'RAW' ? TEXT : new Uint8Array(length)
  const input = { KeyId, Message, MessageType: messageType, SigningAlgorithm: algorithm, DryRun: true }
  return dryRun(client.attempt(READ('Sign'), call, (kms, options) => kms.send(new SignCommand(input), options)))
}

/** What rows of ours carry and what adopted ones do: a policy may allow one of them alone. */
export const contextsToAsk = ({ context }: Patient): readonly EnvelopeContext[] =>
  context === undefined ? [made('doctor'), { pubkey: 'doctor' }] : [context]

export async function mayDecrypt(
  client: KmsClient,
  KeyId: string,
  context: EnvelopeContext | undefined,
  call: Call,
): Promise<Answer> {
  const operation = READ('Decrypt')
  const EncryptionContext = context === undefined ? {} : { EncryptionContext: { ...context } }
  const input = { KeyId, ...EncryptionContext, DryRun: true, DryRunModifiers: ['IGNORE_CIPHERTEXT' as const] }
  const answer = await dryRun(
    client
      .attempt(operation, call, (kms, options) => kms.send(new DecryptCommand(input), options))
      .then(({ plaintext }) => plaintext?.wipe()),
  )
  if (answer.kind !== 'unclear' || vendorOf(answer.error)?.name !== 'ValidationException') return answer
  return {
    ...answer,
    meaning: 'the service does not know a dry run of Decrypt without a ciphertext (IGNORE_CIPHERTEXT)',
  }
}

export function mayEncrypt(client: KmsClient, KeyId: string, context: EnvelopeContext, call: Call): Promise<Answer> {
  const input = { KeyId, Plaintext: TEXT, EncryptionContext: { ...context }, DryRun: true }
  return dryRun(client.attempt(READ('Encrypt'), call, (kms, options) => kms.send(new EncryptCommand(input), options)))
}
