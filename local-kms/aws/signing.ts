import { findKey, type OpContext, operation, requireAlgorithm, requireUsable, requireUsage } from './context.ts'
import { AwsError, dryRunSucceeded, unsupported, validation } from './errors.ts'
import { digestLength, macWith, publicKeyOf, type SignJob, signWith, verifyWith } from './material.ts'
import * as member from './members.ts'
import { blob, oneOf, optional, required, struct } from './shapes.ts'
import { MAC_ALGORITHMS, MESSAGE_TYPES, SIGNING_ALGORITHMS, specRow } from './specs.ts'
import { currentMaterial, type KmsKey } from './store.ts'
import { equalBytes } from '../core/random.ts'

// The model's minimum is 1; an empty message is let through behind a switch, so the shape itself starts at 0
const message = required(blob(0, 4096, { sensitive: true }))

const signMembers = {
  KeyId: required(member.keyId),
  Message: message,
  MessageType: optional(oneOf(MESSAGE_TYPES)),
  SigningAlgorithm: required(oneOf(SIGNING_ALGORITHMS)),
  GrantTokens: member.grantTokens,
  DryRun: member.dryRun,
}

/** Checks in the service's order: key, state, usage, algorithm, kind of message, length of digest. */
function prepare(
  context: OpContext,
  input: { KeyId: string; Message: Uint8Array; MessageType: string | undefined; SigningAlgorithm: string },
): { key: KmsKey; job: SignJob } {
  refuseEmpty(context, input.Message)
  const key = findKey(context, input.KeyId)
  requireUsable(key)
  requireUsage(context, key, 'SIGN_VERIFY')
  const algorithm = input.SigningAlgorithm
  requireAlgorithm(key, 'signing', algorithm)
  const type = input.MessageType ?? 'RAW'
  const wanted =
    algorithm === 'ED25519_SHA_512' ? ['RAW'] : algorithm === 'ED25519_PH_SHA_512' ? ['DIGEST'] : ['RAW', 'DIGEST']
  if (!wanted.includes(type)) throw validation(`Message type ${type} is incompatible with algorithm ${algorithm}.`)
  const isDigest = type === 'DIGEST'
  if (isDigest && input.Message.length !== digestLength(algorithm)) {
    throw validation(`Digest is invalid length for algorithm ${algorithm}.`)
  }
  const job = { spec: key.spec, material: currentMaterial(key)!.bytes, algorithm, message: input.Message, isDigest }
  return { key, job }
}

function refuseEmpty(context: OpContext, bytes: Uint8Array): void {
  if (bytes.length > 0 || context.allowEmptyMessage) return
  throw validation(
    "1 validation error detected: Value at 'message' failed to satisfy constraint: " +
      'Member must have length greater than or equal to 1',
  )
}

export const Sign = operation(struct(signMembers), (input, context) => {
  const { key, job } = prepare(context, input)
  member.refuseGrantTokens(input.GrantTokens)
  if (input.DryRun) throw dryRunSucceeded()
  return { KeyId: key.arn, Signature: signWith(job, context.entropy), SigningAlgorithm: input.SigningAlgorithm }
})

export const Verify = operation(struct({ ...signMembers, Signature: required(blob(1, 6144)) }), (input, context) => {
  const { key, job } = prepare(context, input)
  member.refuseGrantTokens(input.GrantTokens)
  // A wrong signature is an error of its own, never an answer that says false
  if (!verifyWith(job, input.Signature)) throw new AwsError('KMSInvalidSignatureException')
  if (input.DryRun) throw dryRunSucceeded()
  return { KeyId: key.arn, SignatureValid: true, SigningAlgorithm: input.SigningAlgorithm }
})

export const GetPublicKey = operation(
  struct({ KeyId: required(member.keyId), GrantTokens: member.grantTokens }),
  (input, context) => {
    const key = findKey(context, input.KeyId)
    const row = specRow(key.spec)
    if (row.family === 'symmetric' || row.family === 'hmac') {
      throw unsupported(`${key.arn} key spec is ${key.spec} which is not valid for GetPublicKey.`)
    }
    requireUsable(key)
    member.refuseGrantTokens(input.GrantTokens)
    return {
      CustomerMasterKeySpec: key.spec,
      EncryptionAlgorithms: key.usage === 'ENCRYPT_DECRYPT' ? row.encryption : undefined,
      KeyId: key.arn,
      KeySpec: key.spec,
      KeyUsage: key.usage,
      PublicKey: publicKeyOf(key.spec, currentMaterial(key)!.bytes),
      SigningAlgorithms: key.usage === 'SIGN_VERIFY' ? row.signing : undefined,
    }
  },
)

const macMembers = {
  KeyId: required(member.keyId),
  Message: message,
  MacAlgorithm: required(oneOf(MAC_ALGORITHMS)),
  GrantTokens: member.grantTokens,
  DryRun: member.dryRun,
}

function prepareMac(context: OpContext, input: { KeyId: string; Message: Uint8Array; MacAlgorithm: string }): KmsKey {
  refuseEmpty(context, input.Message)
  const key = findKey(context, input.KeyId)
  requireUsable(key)
  requireUsage(context, key, 'GENERATE_VERIFY_MAC')
  requireAlgorithm(key, 'mac', input.MacAlgorithm)
  return key
}

export const GenerateMac = operation(struct(macMembers), (input, context) => {
  const key = prepareMac(context, input)
  member.refuseGrantTokens(input.GrantTokens)
  if (input.DryRun) throw dryRunSucceeded()
  const mac = macWith(currentMaterial(key)!.bytes, input.MacAlgorithm, input.Message)
  return { KeyId: key.arn, Mac: mac, MacAlgorithm: input.MacAlgorithm }
})

export const VerifyMac = operation(struct({ ...macMembers, Mac: required(blob(1, 6144)) }), (input, context) => {
  const key = prepareMac(context, input)
  member.refuseGrantTokens(input.GrantTokens)
  const mac = macWith(currentMaterial(key)!.bytes, input.MacAlgorithm, input.Message)
  if (!equalBytes(mac, input.Mac)) throw new AwsError('KMSInvalidMacException')
  if (input.DryRun) throw dryRunSucceeded()
  return { KeyId: key.arn, MacAlgorithm: input.MacAlgorithm, MacValid: true }
})
