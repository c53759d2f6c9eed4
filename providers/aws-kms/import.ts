import { GetParametersForImportCommand, ImportKeyMaterialCommand } from '@aws-sdk/client-kms'
import { isSignerError } from '../../src/domain/errors.ts'
import {
  type Call,
  type ImportKey,
  type ImportWrap,
  type KeyFacts,
  type KeyRef,
  SCHEMES,
} from '../../src/domain/provider.ts'
import { malformed } from '../judgement.ts'
import { abandon, requireImportable, requireImported, wrapForImport } from '../key-import.ts'
import type { ProviderWorld } from '../world.ts'
import { describeKey } from './describe.ts'
import { type Parts, requireSame, scheduleDestroy } from './states.ts'
import { bytesOf } from './translate.ts'

/** As strong as the keys that travel under it (NIST SP 800-57 part 1, table 2). */
const WRAPPING_BITS = 3072
const WRAPPING_KEY_SPEC = 'RSA_3072'
const ALGORITHMS = {
  'rsa-aes': 'RSA_AES_KEY_WRAP_SHA_256',
  'rsa-oaep': 'RSAES_OAEP_SHA_256',
} as const satisfies Record<ImportWrap, string>
const SERVICE = 'AWS KMS'
/** What was imported shows everywhere after a moment: the service is eventually consistent. */
const LOOKS = 5
const PAUSE_MS = 1_000

export interface ImportParts extends Parts {
  readonly world: ProviderWorld
  /** A key that waits for its material. @returns its ARN */
  createExternal(what: ImportKey, call: Call): Promise<KeyRef>
}

/**
 * CreateKey with origin EXTERNAL, GetParametersForImport, ImportKeyMaterial. Until the last one the key can do nothing; from
 * then on a failure schedules its deletion, after which a late ImportKeyMaterial is refused too. A 256-bit key made by
 * somebody else is not an AWS key: it does not expire, and losing it is ours to prevent.
 * @see AWS KMS developer guide, "Importing key material"
 */
export async function importKey(parts: ImportParts, what: ImportKey, call: Call): Promise<KeyFacts> {
  requireImportable(what, SERVICE, { schemes: SCHEMES })
  const arn = await parts.createExternal(what, call)
  try {
    await bring(parts, arn, what, call)
    const facts = await imported(parts, arn, call)
    requireImported(what, SERVICE, facts)
    return facts
  } catch (cause) {
    return abandon(parts.world, { left: arn, requestId: call.requestId, cause }, own =>
      scheduleDestroy(parts, arn, 0, own),
    )
  }
}

async function bring(parts: ImportParts, arn: KeyRef, what: ImportKey, call: Call): Promise<void> {
  const { client, name, world } = parts
  const algorithm = ALGORITHMS[what.wrap ?? 'rsa-aes']
  const { output, providerRequestId } = await client.attempt(
    { name: 'GetParametersForImport', kind: 'read' },
    call,
    (kms, options) =>
      kms.send(
        new GetParametersForImportCommand({
          KeyId: arn,
          WrappingAlgorithm: algorithm,
          WrappingKeySpec: WRAPPING_KEY_SPEC,
        }),
        options,
      ),
  )
  requireSame(arn, output.KeyId)
  const token = bytesOf(output.ImportToken)
  const spki = bytesOf(output.PublicKey) ?? new Uint8Array()
  const wrapped = await wrapForImport(what, { spki, bits: WRAPPING_BITS }, world.random)
  if (token === undefined || wrapped === undefined) {
    const reason = `GetParametersForImport: the answer holds no token or no ${WRAPPING_KEY_SPEC} key`
    throw malformed(name, reason, providerRequestId)
  }
  const input = {
    KeyId: arn,
    ImportToken: token,
    EncryptedKeyMaterial: wrapped,
    ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE',
  } as const
  const answer = await client.attempt({ name: 'ImportKeyMaterial', kind: 'effect' }, call, (kms, options) =>
    kms.send(new ImportKeyMaterialCommand(input), options),
  )
  // Older endpoints answer with nothing.
  if (answer.output.KeyId !== undefined) requireSame(arn, answer.output.KeyId)
}

async function imported({ client, name, world }: ImportParts, arn: KeyRef, call: Call): Promise<KeyFacts> {
  for (let look = 1; ; look++) {
    try {
      return await describeKey(client, name, arn, call)
    } catch (error) {
      if (look === LOOKS || !isSignerError(error) || error.code !== 'provider/refused') throw error
      await world.clock.sleep(PAUSE_MS, call.signal).catch(() => {
        throw error
      })
    }
  }
}
