import { type ConfigProblem, SignerError } from '../domain/errors.ts'
import { Secret } from '../domain/secret.ts'
import type { Environment } from './layers.ts'
import { isLoopbackHost } from './schema.ts'

/** What the command line needs to talk to a running service. */
export interface ClientConfig {
  /** Origin without a slash at the end. */
  readonly url: string
  readonly token: Secret
}

/**
 * Flags win over `COUNTERSIGN_URL` and `COUNTERSIGN_TOKEN`. A token goes only to https, or to this machine.
 * @throws `config/invalid` with every problem at once; the token is not in it.
 */
export function loadClientConfig(
  env: Environment,
  flags: { readonly url?: string; readonly token?: string } = {},
): ClientConfig {
  const problems: ConfigProblem[] = []
  const url = readUrl(flags.url ?? env['COUNTERSIGN_URL'] ?? '', problems)
  const token = flags.token ?? env['COUNTERSIGN_TOKEN'] ?? ''
  if (token === '')
    problems.push({
      path: 'COUNTERSIGN_TOKEN',
      problem: 'is not set',
      fix: 'set it to a token; `countersign dev` prints one',
    })
  else if (!/^[A-Za-z0-9._-]{1,4096}$/.test(token)) {
    problems.push({
      path: 'COUNTERSIGN_TOKEN',
      problem: 'is not a token',
      fix: 'use the token alone, without "Bearer", quotes or line breaks',
    })
  }
  if (problems.length > 0) throw new SignerError('config/invalid', { problems })
  return Object.freeze({ url, token: new Secret(token, 'COUNTERSIGN_TOKEN') })
}

function readUrl(text: string, problems: ConfigProblem[]): string {
  const complain = (problem: string, fix: string): string => {
    problems.push({ path: 'COUNTERSIGN_URL', problem, fix })
    return ''
  }
  if (text === '') return complain('is not set', 'set it to the dataUrl that `countersign serve` prints')
  if (!URL.canParse(text)) return complain('is not a URL', 'use https://HOST or http://127.0.0.1:PORT')
  const url = new URL(text)
  const bare =
    url.pathname === '/' && url.search === '' && url.hash === '' && url.username === '' && url.password === ''
  if (!bare) return complain('is more than an origin', 'use scheme, host and port only')
  const local = isLoopbackHost(url.hostname.replace('[', '').replace(']', ''))
  if (url.protocol === 'https:' || (url.protocol === 'http:' && local)) return url.origin
  return complain('would carry the token over the network in clear', 'use https://, or http:// on 127.0.0.1')
}
