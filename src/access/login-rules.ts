/** What can be wrong with the configuration of the login, found at start and all at once. */
import { StrKey } from '@stellar/stellar-sdk/base'
import type { ConfigProblem } from '../domain/errors.ts'
import type { Eip4361Rules } from './eip4361.ts'
import { isAuthority, isStatement, isUri } from './rfc3986.ts'
import { SEP10_SECONDS_MAX, type Sep10Rules } from './sep10.ts'

/** Bytes of the name, and of the value, of a data entry on Stellar. */
const DATA_BYTES_MAX = 64
const AUTH = ' auth'

export function loginProblems(
  rules: { readonly sep10?: Sep10Rules; readonly eip4361?: Eip4361Rules },
  challengeSeconds: number,
): readonly ConfigProblem[] {
  const problems: ConfigProblem[] = []
  const complain = (path: string, problem: string, fix: string) =>
    problems.push({ path: `login.${path}`, problem, fix })
  if (!Number.isInteger(challengeSeconds) || challengeSeconds < 1 || challengeSeconds > SEP10_SECONDS_MAX)
    complain('challengeSeconds', 'is out of range', `use 1 to ${SEP10_SECONDS_MAX}`)
  if (rules.sep10 === undefined && rules.eip4361 === undefined)
    complain('sep10', 'nobody could log in', 'configure SEP-10, ERC-4361, or both')
  if (rules.sep10 !== undefined) sep10Problems(rules.sep10, complain)
  if (rules.eip4361 !== undefined) eip4361Problems(rules.eip4361, complain)
  return problems
}

type Complain = (path: string, problem: string, fix: string) => void

function sep10Problems(rules: Sep10Rules, complain: Complain): void {
  const { serverAccount, homeDomain, webAuthDomain, networkPassphrase } = rules
  if (!StrKey.isValidEd25519PublicKey(serverAccount))
    complain('sep10.serverAccount', 'is not an account', 'name the G… of the key that signs challenges')
  if (!isAuthority(homeDomain) || homeDomain.length + AUTH.length > DATA_BYTES_MAX)
    complain('sep10.homeDomain', 'is not a host', `name a host of at most ${DATA_BYTES_MAX - AUTH.length} characters`)
  if (!isAuthority(webAuthDomain) || webAuthDomain.length > DATA_BYTES_MAX)
    complain('sep10.webAuthDomain', 'is not a host', `name a host of at most ${DATA_BYTES_MAX} characters`)
  if (networkPassphrase.trim() === '')
    complain('sep10.networkPassphrase', 'is empty', 'name the network whose passphrase wallets sign under')
}

function eip4361Problems(rules: Eip4361Rules, complain: Complain): void {
  const { domain, uri, statement, chainIds } = rules
  if (!isAuthority(domain)) complain('eip4361.domain', 'is not a host', 'name the host that wallets see, and its port')
  if (!isUri(uri)) complain('eip4361.uri', 'is not a URI', 'name what the login is for, such as https://signer.example')
  if (statement === '' || !isStatement(statement))
    complain('eip4361.statement', 'is not a line of plain text', 'write letters, digits and marks of a URI')
  if (chainIds.length === 0 || !chainIds.every(id => Number.isSafeInteger(id) && id > 0))
    complain('eip4361.chainIds', 'is not a list of chain ids', 'name one or more, such as [1]')
}
