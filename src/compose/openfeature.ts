import { type JsonValue, OpenFeature, type Provider } from '@openfeature/server-sdk'
import type { FlagContext } from '../routing/index.ts'

/** What the SDK answers when there is no flag, or no answer: told apart from anything a service can say. */
const NO_ANSWER: JsonValue = { mode: 'no-answer' }

/**
 * Any OpenFeature provider as the one question that routing asks. The value of the flag is an object, as in a file of
 * flags; the targeting key is the caller, and `environment`, `key` and `caller` are there for rules.
 * Each provider gets a domain of its own, so that nothing else in the process is touched.
 * @throws (the returned function) when the provider has no value for the flag
 */
export async function askOpenFeature(
  provider: Provider,
  flagName: string,
): Promise<(context: FlagContext) => Promise<unknown>> {
  const domain = `countersign-${crypto.randomUUID()}`
  OpenFeature.setProvider(domain, provider) // not awaited: a service that is down must not keep us from starting
  const client = OpenFeature.getClient(domain)
  return async context => {
    const { value, errorCode, errorMessage } = await client.getObjectDetails(flagName, NO_ANSWER, {
      targetingKey: context.caller,
      ...context,
    })
    if (errorCode === undefined && value !== NO_ANSWER) return value
    throw new Error(
      `the flag service has no answer: ${errorCode ?? 'no value'} ${errorMessage ?? ''}`.trim().slice(0, 300),
    )
  }
}
