import { Keypair, StrKey, xdr } from '@stellar/stellar-sdk/base'
import { fromBase64 } from '../../bytes/base64.ts'
import { equalBytes } from '../../bytes/equal.ts'
import { toHex } from '../../bytes/hex.ts'
import { verifySignature } from '../../bytes/verify.ts'
import type { Asked, PayloadParser, Signatory } from '../../domain/payload.ts'
import type { AccountView, ChallengeView } from '../../domain/stellar.ts'
import { refuse } from '../refusal.ts'
import { attach } from './attach.ts'
import { timeText } from './describe.ts'
import { fieldsOf, textOf } from './fields.ts'
import { parse, type StellarParsed } from './parse.ts'
import { operationText } from './sentences.ts'
import { toSign } from './to-sign.ts'
import { accountOf, strkeyOf } from './values.ts'
import { bodyIn } from './view.ts'

const FIELDS = ['role', 'xdr', 'serverAddress', 'homeDomain', 'webAuthDomain']
const LIFE_SECONDS_MAX = 900n
const NONCE_BYTES = 48

/**
 * `{type: 'stellar-challenge', role, xdr, serverAddress?, homeDomain?, webAuthDomain?}`; the last three are what the caller
 * expects, and must be so. Accepted is what SEP-10 describes and nothing beyond: sequence 0, so no network can run it; time
 * bounds alone; `<home domain> auth` from the client, then at most `web_auth_domain` and `client_domain`. In the role
 * `client` the account of the key is the client, and the server has signed; in the role `server` the key itself is the server.
 * @throws `payload/invalid` with field and reason
 * @see SEP-10 3.4.1
 */
export const challenge: PayloadParser = (payload, signatory): Asked => {
  const fields = fieldsOf(payload, 'stellar-challenge', FIELDS)
  const role = fields['role']
  if (role !== 'server' && role !== 'client') throw refuse('role', 'must be server or client')
  const parsed = parse({ type: 'stellar-transaction', xdr: fields['xdr'] }, signatory.network)
  const view = viewOf(parsed, role)
  checkExpected(view, fields)
  checkRole(parsed, view, signatory)
  return {
    type: 'stellar-challenge',
    input: toSign(parsed),
    hash: toHex(parsed.hash),
    sentence: sentenceOf(view),
    view,
    operations: [view.kind],
    slot: () => undefined,
    describe: () => ({ json: parsed.envelope.toJson(), sentences: sentencesOf(parsed) }),
    attach: (publicKey, signature) => ({ signedXdr: attach(parsed, publicKey, signature) }),
  }
}

function viewOf({ envelope, network }: StellarParsed, role: ChallengeView['role']): ChallengeView {
  if (envelope.type !== 'envelopeTypeTx')
    throw no('is a fee bump or an envelope of version 0, and a challenge is neither')
  const { sourceAccount, seqNum, cond, memo, ext, operations } = envelope.v1.tx
  if (seqNum !== 0n) throw no('has a sequence number other than 0: it is a transaction, not a challenge')
  if (sourceAccount.type !== 'keyTypeEd25519') throw no('has a muxed source account')
  if (ext.type !== 'v0') throw no('has an extension')
  if (cond.type !== 'precondTime') throw no('has other preconditions than time bounds alone')
  const { minTime, maxTime } = cond.timeBounds
  if (maxTime <= minTime || maxTime - minTime > LIFE_SECONDS_MAX) {
    throw no(`has time bounds that span no time, or more than ${LIFE_SECONDS_MAX} seconds`)
  }
  const server = accountOf(sourceAccount).address
  const [first, ...others] = operations.map(dataOf)
  if (first === undefined) throw no('has no operation')
  const client = clientOf(first, server)
  const { webAuthDomain, clientDomain } = domainsOf(others, server)
  return {
    kind: 'challenge',
    network,
    role,
    serverAddress: server,
    clientAddress: addressText(client),
    clientAccount: client.address,
    homeDomain: homeDomainOf(first.name),
    webAuthDomain,
    clientDomain,
    memo: memoOf(memo, client),
    minTime,
    maxTime,
  }
}

interface Data {
  readonly source: AccountView
  readonly name: string
  readonly value: Uint8Array
}

function dataOf({ sourceAccount, body }: xdr.Operation, at: number): Data {
  if (body.type !== 'manageData') throw no(`has operation ${at + 1} of type ${body.type}: only manageData`)
  if (sourceAccount === null) throw no(`has operation ${at + 1} without a source account of its own`)
  const { dataName, dataValue } = body.manageDataOp
  if (dataValue === null) throw no(`has operation ${at + 1} without a value`)
  return { source: accountOf(sourceAccount), name: dataName.toJson(), value: dataValue.toBytes() }
}

function clientOf({ source, value }: Data, server: string): AccountView {
  if (source.address === server) throw no('has the server account as its client')
  if (value.length !== 64 || fromBase64(ascii(value) ?? '')?.length !== NONCE_BYTES) {
    throw no('has a nonce that is not 48 bytes in base64')
  }
  return source
}

const SUFFIX = ' auth'

function homeDomainOf(name: string): string {
  const domain = name.endsWith(SUFFIX) ? name.slice(0, -SUFFIX.length) : ''
  if (!isHost(domain)) throw no('has a first operation that is not named "<home domain> auth"')
  return domain
}

/** What follows the first operation; each name at most once. */
function domainsOf(operations: readonly Data[], server: string): Pick<ChallengeView, 'webAuthDomain' | 'clientDomain'> {
  const found = { webAuthDomain: null as string | null, clientDomain: null as string | null }
  for (const { source, name, value } of operations) {
    const field = name === 'web_auth_domain' ? 'webAuthDomain' : name === 'client_domain' ? 'clientDomain' : undefined
    if (field === undefined) throw no('has an operation that is neither web_auth_domain nor client_domain')
    if (found[field] !== null) throw no(`has ${name} twice`)
    if (source.muxedId !== null) throw no(`has a muxed account as source of ${name}`)
    if ((source.address === server) !== (field === 'webAuthDomain')) throw no(`has a wrong source of ${name}`)
    const host = ascii(value)
    if (host === undefined || !isHost(host)) throw no(`has a ${name} that is not a host name`)
    found[field] = host
  }
  return found
}

/** A sub-account is told by a memo id or by an M… address, never by both. */
function memoOf(memo: xdr.Memo, client: AccountView): bigint | null {
  if (memo.type === 'memoNone') return null
  if (memo.type !== 'memoId') throw no('has a memo that is not an id')
  if (client.muxedId !== null) throw no('has a memo and a muxed client')
  return memo.id
}

function checkExpected(view: ChallengeView, fields: Partial<Record<string, unknown>>): void {
  for (const name of ['serverAddress', 'homeDomain', 'webAuthDomain'] as const) {
    if (fields[name] === undefined) continue
    const expected = textOf(fields, name, 'text')
    if (expected !== view[name]) throw refuse(name, `is not that of the challenge, which is ${view[name] ?? 'absent'}`)
  }
}

function checkRole(
  parsed: StellarParsed,
  { role, serverAddress, clientAddress, clientAccount }: ChallengeView,
  { address, account }: Signatory,
) {
  if (role === 'server') {
    if (serverAddress !== address) throw no(`has the server account ${serverAddress}, and the key is ${address}`)
    return
  }
  if (clientAccount !== account) {
    throw no(`is for the client ${clientAddress}, and the key signs for ${account}`)
  }
  if (!isSignedBy(parsed, serverAddress)) throw no(`has no good signature of its server account ${serverAddress}`)
}

/** Parsing does not wait, and not every runtime verifies without waiting; a challenge is rare enough for the SDK's slow way. */
function isSignedBy({ envelope, hash }: StellarParsed, account: string): boolean {
  const key = Keypair.fromPublicKey(account)
  const bytes = key.rawPublicKey()
  const engine = (_: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean => key.verify(message, signature)
  return envelope.value.signatures.some(
    ({ hint, signature }) =>
      equalBytes(hint.toBytes(), bytes.slice(-4)) &&
      verifySignature({ scheme: 'ed25519', message: hash }, bytes, signature.toBytes(), engine) === true,
  )
}

const no = (reason: string) => refuse('xdr', reason)

const addressText = ({ address, muxedId: id }: AccountView): string => {
  if (id === null) return address
  const account = new xdr.MuxedAccountMed25519({ id, ed25519: StrKey.decodeEd25519PublicKey(address) })
  return strkeyOf(xdr.MuxedAccount.keyTypeMuxedEd25519(account))
}

/** Host name, with a port where there is one; 1 to 64 characters. */
function isHost(text: string): boolean {
  return text.length > 0 && text.length <= 64 && /^[A-Za-z0-9][A-Za-z0-9.:-]*$/.test(text)
}

function ascii(bytes: Uint8Array): string | undefined {
  return bytes.every(byte => byte > 0x20 && byte < 0x7f) ? String.fromCharCode(...bytes) : undefined
}

function sentenceOf(view: ChallengeView): string {
  const { role, homeDomain, clientAddress, serverAddress, clientDomain, memo, maxTime, network } = view
  const who = memo === null ? clientAddress : `${clientAddress} (memo id ${memo})`
  const wallet = clientDomain === null ? '' : `; wallet ${clientDomain}`
  const verb = role === 'server' ? `Challenge ${who} to log in` : `Log in as ${who}`
  const server = `server ${serverAddress}${view.webAuthDomain === null ? '' : ` of ${view.webAuthDomain}`}`
  return `${verb} at ${homeDomain}; ${server}${wallet}; valid until ${timeText(maxTime)}; network ${network}.`
}

function sentencesOf({ view }: StellarParsed): string[] {
  const { operations, source } = bodyIn(view)
  return operations.map(operation => operationText(operation, source))
}
