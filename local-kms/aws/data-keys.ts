import type { EncryptionContext } from './ciphertext.ts'
import { findKey, type OpContext, operation, requireAlgorithm, requireUsable, requireUsage } from './context.ts'
import { dryRunSucceeded, unsupported, validation } from './errors.ts'
import { sealUnder } from './encryption.ts'
import { generateMaterial, privateKeyOf, publicKeyOf } from './material.ts'
import * as member from './members.ts'
import { integer, oneOf, optional, required, string, struct } from './shapes.ts'
import { isBuiltSpec, KEY_PAIR_SPECS } from './specs.ts'
import { currentMaterial, type KmsKey } from './store.ts'

/** The key that is to wrap: symmetric, usable. */
function wrappingKey(context: OpContext, id: string): KmsKey {
  const key = findKey(context, id)
  requireUsable(key)
  requireUsage(context, key, 'ENCRYPT_DECRYPT')
  requireAlgorithm(key, 'encryption', 'SYMMETRIC_DEFAULT')
  return key
}

const dataKeyMembers = {
  KeyId: required(member.keyId),
  EncryptionContext: member.encryptionContext,
  NumberOfBytes: optional(integer(1, 1024)),
  KeySpec: optional(oneOf(['AES_256', 'AES_128'])),
  GrantTokens: member.grantTokens,
  DryRun: member.dryRun,
}

interface DataKeyInput {
  readonly KeyId: string
  readonly EncryptionContext: EncryptionContext | undefined
  readonly NumberOfBytes: number | undefined
  readonly KeySpec: string | undefined
  readonly GrantTokens: readonly string[] | undefined
  readonly DryRun: boolean | undefined
}

function dataKey(input: DataKeyInput, context: OpContext): { plaintext: Uint8Array; answer: Record<string, unknown> } {
  if ((input.KeySpec === undefined) === (input.NumberOfBytes === undefined)) {
    throw validation('Please specify either number of bytes or key spec.')
  }
  const key = wrappingKey(context, input.KeyId)
  member.refuseGrantTokens(input.GrantTokens)
  if (input.DryRun) throw dryRunSucceeded()
  const plaintext = context.stream('data keys').bytes(input.NumberOfBytes ?? (input.KeySpec === 'AES_128' ? 16 : 32))
  const answer = {
    CiphertextBlob: sealUnder(key, plaintext, input.EncryptionContext, context.entropy),
    KeyId: key.arn,
    KeyMaterialId: currentMaterial(key)!.id,
  }
  return { plaintext, answer }
}

export const GenerateDataKey = operation(
  struct({ ...dataKeyMembers, Recipient: member.recipient }),
  (input, context) => {
    member.refuseRecipient(input.Recipient)
    const { plaintext, answer } = dataKey(input, context)
    return { ...answer, Plaintext: plaintext }
  },
)

export const GenerateDataKeyWithoutPlaintext = operation(
  struct(dataKeyMembers),
  (input, context) => dataKey(input, context).answer,
)

const pairMembers = {
  KeyId: required(member.keyId),
  KeyPairSpec: required(oneOf(KEY_PAIR_SPECS)),
  EncryptionContext: member.encryptionContext,
  GrantTokens: member.grantTokens,
  DryRun: member.dryRun,
}

interface PairInput {
  readonly KeyId: string
  readonly KeyPairSpec: string
  readonly EncryptionContext: EncryptionContext | undefined
  readonly GrantTokens: readonly string[] | undefined
  readonly DryRun: boolean | undefined
}

async function dataKeyPair(
  input: PairInput,
  context: OpContext,
): Promise<{ pkcs8: Uint8Array; answer: Record<string, unknown> }> {
  const key = wrappingKey(context, input.KeyId)
  const spec = input.KeyPairSpec
  if (!isBuiltSpec(spec)) throw unsupported(`local-kms makes no key pairs of spec ${spec}.`)
  member.refuseGrantTokens(input.GrantTokens)
  if (input.DryRun) throw dryRunSucceeded()
  const material = await generateMaterial(spec, context.stream('data key pairs'), context.seeded)
  const pkcs8 = privateKeyOf(spec, material)
  const answer = {
    KeyId: key.arn,
    KeyMaterialId: currentMaterial(key)!.id,
    KeyPairSpec: spec,
    PrivateKeyCiphertextBlob: sealUnder(key, pkcs8, input.EncryptionContext, context.entropy),
    PublicKey: publicKeyOf(spec, material),
  }
  return { pkcs8, answer }
}

export const GenerateDataKeyPair = operation(
  struct({ ...pairMembers, Recipient: member.recipient }),
  async (input, context) => {
    member.refuseRecipient(input.Recipient)
    const { pkcs8, answer } = await dataKeyPair(input, context)
    return { ...answer, PrivateKeyPlaintext: pkcs8 }
  },
)

export const GenerateDataKeyPairWithoutPlaintext = operation(
  struct(pairMembers),
  async (input, context) => (await dataKeyPair(input, context)).answer,
)

export const GenerateRandom = operation(
  struct({
    NumberOfBytes: optional(integer(1, 1024)),
    CustomKeyStoreId: optional(string({ min: 1, max: 64 })),
    Recipient: member.recipient,
  }),
  (input, context) => {
    context.authorize('*')
    member.refuseRecipient(input.Recipient)
    if (input.NumberOfBytes === undefined) throw validation('NumberOfBytes is required.')
    if (input.CustomKeyStoreId !== undefined) throw unsupported('local-kms has no custom key stores.')
    return { Plaintext: context.stream('random').bytes(input.NumberOfBytes) }
  },
)
