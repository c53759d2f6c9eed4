import { CreateKeyCommand, type CreateKeyCommandInput } from '@aws-sdk/client-kms'
import { SignerError } from '../../src/domain/errors.ts'
import type { Call, ImportKey, KeyAdmin, KeyRef, Scheme } from '../../src/domain/provider.ts'
import { checkedConfig } from '../checks.ts'
import { malformed } from '../judgement.ts'
import type { ProviderWorld } from '../world.ts'
import { openClient } from './client.ts'
import { platformSources } from './platform.ts'
import { type AwsKmsConfig, awsKmsSchema } from './config.ts'
import { describeKey } from './describe.ts'
import { importKey } from './import.ts'
import { scheduleDestroy, setState, WINDOW_DAYS_MAX } from './states.ts'
import { isKeyArn, SPELLING, textOf } from './translate.ts'

/**
 * Makes, imports, disables and gives up keys; cannot sign. Needs kms:CreateKey and kms:GetPublicKey; for an import also
 * kms:GetParametersForImport, kms:ImportKeyMaterial and kms:ScheduleKeyDeletion; kms:DisableKey and kms:EnableKey to stop one.
 * CreateKey takes no idempotency token: when no answer comes (`provider/ambiguous`), look for a key with the description
 * before trying again.
 */
export async function createAdmin(config: AwsKmsConfig, world: ProviderWorld): Promise<KeyAdmin> {
  const checked = checkedConfig(awsKmsSchema(), config, 'see providers/aws-kms/README.md')
  const client = openClient(checked, world, platformSources)
  const name = checked.name ?? checked.kind

  async function createKey(input: CreateKeyCommandInput, call: Call): Promise<KeyRef> {
    const { output, providerRequestId } = await client.attempt(
      { name: 'CreateKey', kind: 'effect' },
      call,
      (kms, options) => kms.send(new CreateKeyCommand(input), options),
    )
    const { Arn, KeySpec: keySpec, KeyUsage: keyUsage, Origin: origin } = output.KeyMetadata ?? {}
    const arn = textOf(Arn) ?? ''
    const asAsked = keySpec === input.KeySpec && keyUsage === input.KeyUsage
    if (isKeyArn(arn) && asAsked && (input.Origin === undefined || origin === input.Origin)) return arn
    const reason = 'CreateKey: the answer is not about the key that was asked for'
    throw malformed(name, reason, providerRequestId)
  }

  const parts = {
    client,
    name,
    world,
    createExternal: ({ scheme, label }: ImportKey, call: Call) =>
      createKey({ ...signingKey(scheme, label), Origin: 'EXTERNAL' }, call),
  }
  return Object.freeze({
    async create({ scheme, label }, call) {
      const keySpec = Object.hasOwn(SPELLING, scheme) ? SPELLING[scheme].keySpec : undefined
      if (keySpec === undefined) {
        throw new SignerError('key/unsupported', {
          key: label,
          wanted: scheme,
          reason: 'AWS KMS is not asked for this scheme',
        })
      }
      const arn = await createKey(signingKey(scheme, label), call)
      return describeKey(client, name, arn, call)
    },
    createWrappingKey: ({ label }, call) =>
      createKey({ KeySpec: 'SYMMETRIC_DEFAULT', KeyUsage: 'ENCRYPT_DECRYPT', Description: described(label) }, call),
    importKey: (what, call) => importKey(parts, what, call),
    disable: (key, call) => setState(parts, 'DisableKey', key, call),
    enable: (key, call) => setState(parts, 'EnableKey', key, call),
    waitDaysMax: WINDOW_DAYS_MAX,
    scheduleDestroy: (key, { days }, call) => scheduleDestroy(parts, key, days, call),
  } satisfies KeyAdmin)
}

const signingKey = (scheme: Scheme, label: string): CreateKeyCommandInput => ({
  KeySpec: SPELLING[scheme].keySpec,
  KeyUsage: 'SIGN_VERIFY',
  Description: described(label),
})

/** Descriptions have at most 8192 characters and are shown in clear in the console and the trail. */
const described = (label: string): string => `countersign ${label}`.slice(0, 256)
