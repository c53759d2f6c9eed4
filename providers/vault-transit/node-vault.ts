import nodeVault from 'node-vault'
import { type Ask, type CallRecord, exchange, type OpenRequester } from './wire.ts'

/** What the hook of `node-vault` hands on: its own members, and ours, which it passes through untouched. */
interface Options {
  readonly method: string
  readonly uri: string
  readonly headers: Record<string, string>
  readonly exchange: { readonly ask: Ask; readonly record: CallRecord }
}

/**
 * Requests through `node-vault`, with our exchange in the place of its HTTP client, which never runs.
 * - `debug` is replaced, because it prints request bodies.
 * - `node-vault` fills what it was not given from VAULT_ADDR, VAULT_TOKEN, VAULT_NAMESPACE and VAULT_PREFIX. All four are
 *   set again once it is made, and it reads them anew for every request: the environment has no say.
 * - The body goes beside its `json` member, so that bytes stay bytes.
 */
export const openNodeVault: OpenRequester = (place, fetch) => {
  const send = async (options: Options) => {
    const { ask, record } = options.exchange
    const { method, uri: url, headers } = options
    await exchange(fetch, place, record, { method, url, headers, ask })
    // `record` knows how it went; node-vault only sees that something came.
    return { statusCode: 200, body: {}, request: { path: '' } }
  }
  const client = nodeVault({
    endpoint: place.address,
    apiVersion: 'v1',
    'request-promise': { defaults: () => send },
    debug: () => {},
  }) as ReturnType<typeof nodeVault> & { namespace: string; pathPrefix: string }
  client.endpoint = place.address
  client.token = ''
  client.namespace = place.namespace ?? ''
  client.pathPrefix = ''
  return async (ask, headers, record) => {
    try {
      await client.request({
        method: ask.method,
        path: `/${ask.path}`,
        headers: { ...headers },
        exchange: { ask, record },
      })
    } catch (error) {
      record.failure ??= error
    }
  }
}
