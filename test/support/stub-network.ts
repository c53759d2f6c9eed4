/**
 * A Stellar network in memory that checks what it is sent as the network would: signatures against signers and thresholds,
 * sequence numbers, fees, time bounds, authorization entries and their nonces. It runs two small contracts, speaks Soroban RPC
 * (`POST /rpc`) and Horizon (`/horizon/…`), in process (`fetch`) or on loopback (`listen`), and lies when it is told to.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { StrKey, xdr } from '@stellar/stellar-sdk/base'
import { accountKeyOf } from '../../src/chains/stellar/account-entry.ts'
import { networkCodec } from '../../src/chains/stellar/network-codec.ts'
import { passphraseOf } from '../../src/chains/stellar/networks.ts'
import type { Clock, Fetch } from '../../src/domain/ports.ts'
import type { StellarNetwork } from '../../src/domain/stellar-network.ts'
import { openStellarNetwork } from '../../src/network/index.ts'
import { type Applied, createLedger, type Ledger } from './stub-ledger.ts'

export type Question = 'passphrase' | 'ledger' | 'account' | 'simulate' | 'submit' | 'transaction'

/**
 * What comes instead of an honest answer, once for each time it is named. `lost`: it is done, and the answer never comes.
 * `foreign-auth`: one more authorization than the call needs; `auth-twice`: each of them under two nonces. `dear`: resources
 * cost 100 million stroops.
 */
export type Lie =
  | 'honest'
  | 'hang'
  | 'lost'
  | 'unreachable'
  | 'status-500'
  | 'redirect'
  | 'huge'
  | 'not-json'
  | 'wrong-id'
  | 'wrong-types'
  | 'error'
  | 'other-hash'
  | 'other-transaction'
  | 'other-account'
  | 'other-network'
  | 'try-again'
  | 'fails'
  | 'restore'
  | 'dear'
  | 'foreign-auth'
  | 'auth-twice'

export interface StubOptions {
  readonly network?: string
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** How often a submitted transaction is asked for before it is in a ledger. 1 unless told. */
  readonly closesAfter?: number
  /** Addresses authorize by CAP-71 credentials. */
  readonly upgradedAuth?: boolean
}

export interface StubNetwork extends Ledger {
  /** For a client in this process; under http://127.0.0.1/rpc and http://127.0.0.1/horizon. */
  readonly fetch: Fetch
  listen(): Promise<{ readonly rpcUrl: string; readonly horizonUrl: string; close(): Promise<void> }>
  /** The next answers to this question, one after the other; then it is honest again. */
  lies(question: Question, ...lies: readonly Lie[]): void
  /** How often each question came. */
  readonly asked: ReadonlyMap<Question, number>
  /** Hashes in the order they were accepted; a duplicate is not accepted again. */
  readonly accepted: readonly string[]
  /** What became of a transaction; undefined: it was never accepted. */
  applied(hash: string): Applied | undefined
}

export const STUB_RPC = 'http://127.0.0.1/rpc'
export const STUB_HORIZON = 'http://127.0.0.1/horizon'

/** Testnet, as the signer reaches it: by Soroban RPC unless told. */
export const stubbedTestnet = (
  { fetch, clock }: { readonly fetch: Fetch; readonly clock: Clock },
  by: { readonly rpcUrl?: string; readonly horizonUrl?: string } = { rpcUrl: STUB_RPC },
): StellarNetwork =>
  openStellarNetwork({
    name: 'testnet',
    passphrase: passphraseOf('testnet'),
    codec: networkCodec('testnet'),
    ...by,
    fetch,
    clock,
  })

const OTHER_HASH = 'ab'.repeat(32)
const NO_HASH = '0'.repeat(64)
const LEDGER_MS = 5_000

export function openStubNetwork(options: StubOptions): StubNetwork {
  const { network = 'testnet', now, closesAfter = 1 } = options
  const codec = networkCodec(network)
  const ledger = createLedger({ passphrase: passphraseOf(network), now, upgradedAuth: options.upgradedAuth ?? false })
  const scripts = new Map<Question, Lie[]>()
  const asked = new Map<Question, number>()
  const accepted: string[] = []
  const waiting = new Map<string, { readonly envelope: string; readonly applied: Applied; polls: number }>()

  const lieFor = (question: Question): Lie => {
    asked.set(question, (asked.get(question) ?? 0) + 1)
    return scripts.get(question)?.shift() ?? 'honest'
  }

  const submit = (envelope: string) => {
    const hash = codec.hashOf(envelope)
    if (waiting.has(hash)) return { status: 'DUPLICATE', hash }
    const outcome = ledger.apply(envelope)
    if (outcome.kind === 'refused') return { status: 'ERROR', hash, errorResultXdr: outcome.result }
    accepted.push(hash)
    waiting.set(hash, { envelope, applied: outcome, polls: 0 })
    return { status: 'PENDING', hash }
  }

  const find = (hash: string) => {
    const found = waiting.get(hash)
    if (found === undefined || found.polls++ < closesAfter) return undefined
    return found
  }

  /** Ledgers close whether or not there is something in them. */
  const opened = now()
  const latest = (): number => ledger.sequence + Math.floor((now() - opened) / LEDGER_MS)

  const closing = () => ({
    latestLedger: latest(),
    latestLedgerCloseTime: String(Math.floor(now() / 1000)),
    oldestLedger: 1,
    oldestLedgerCloseTime: '1',
  })

  const rpc = (question: Question, params: Record<string, unknown>, lie: Lie): object => {
    switch (question) {
      case 'passphrase':
        return {
          passphrase: lie === 'other-network' ? 'Some Other Network ; 2020' : passphraseOf(network),
          protocolVersion: 25,
        }
      case 'ledger':
        return { status: 'NOT_FOUND', txHash: NO_HASH, ...closing() }
      case 'account': {
        const [key = ''] = params['keys'] as string[]
        const address = ledger.addresses().find(each => accountKeyOf(each) === key)
        if (address === undefined) return { entries: [], latestLedger: ledger.sequence }
        const other = ledger.addresses().find(each => each !== address) ?? address
        const data = ledger.accountEntry(lie === 'other-account' ? other : address)
        return {
          entries: [{ key, xdr: data.toXdr('base64'), lastModifiedLedgerSeq: 7 }],
          latestLedger: ledger.sequence,
        }
      }
      case 'simulate': {
        if (lie === 'fails')
          return { latestLedger: ledger.sequence, error: 'HostError: Error(Contract, #3)\n\u0000bad' }
        const simulation = ledger.simulate(params['transaction'] as string, lie === 'foreign-auth')
        if ('error' in simulation) return { latestLedger: ledger.sequence, error: simulation.error }
        const { transactionData, result } = simulation
        const auth =
          lie === 'auth-twice' ? simulation.auth.flatMap(each => [each, underAnotherNonce(each)]) : simulation.auth
        const minResourceFee = lie === 'dear' ? '100000000' : String(simulation.minResourceFee)
        return {
          latestLedger: ledger.sequence,
          transactionData,
          minResourceFee,
          events: [],
          results: [{ auth, xdr: result }],
          ...(lie === 'restore' ? { restorePreamble: { minResourceFee: '5000', transactionData } } : {}),
        }
      }
      case 'submit': {
        const closed = { latestLedger: ledger.sequence, latestLedgerCloseTime: String(Math.floor(now() / 1000)) }
        const envelope = params['transaction'] as string
        if (lie === 'try-again') return { ...closed, status: 'TRY_AGAIN_LATER', hash: codec.hashOf(envelope) }
        const answer = submit(envelope)
        return { ...closed, ...answer, ...(lie === 'other-hash' ? { hash: OTHER_HASH } : {}) }
      }
      case 'transaction': {
        const hash = params['hash'] as string
        const found = find(hash)
        if (found === undefined) return { status: 'NOT_FOUND', txHash: hash, ...closing() }
        const { applied } = found
        const lied = lie === 'other-transaction' ? ledger.otherEnvelope(found.envelope) : found.envelope
        return {
          ...closing(),
          status: applied.success ? 'SUCCESS' : 'FAILED',
          txHash: hash,
          applicationOrder: 1,
          feeBump: false,
          envelopeXdr: lied,
          resultXdr: applied.result,
          resultMetaXdr: applied.meta,
          ledger: applied.ledger,
          createdAt: String(Math.floor(now() / 1000)),
        }
      }
    }
  }

  const onRpc = async (request: Request): Promise<Response> => {
    const { id, method, params } = (await request.json()) as { id: number; method: string; params: never }
    const question = methodOf(method, params)
    const lie = lieFor(question)
    const early = await misbehaviour(lie)
    if (early !== undefined) return early
    if (lie === 'error') return Response.json({ jsonrpc: '2.0', id, error: { code: -32603, message: 'no' } })
    const result = rpc(question, params, lie)
    if (lie === 'lost') return dead()
    if (lie === 'wrong-types') return Response.json({ jsonrpc: '2.0', id, result: twisted(result) })
    return Response.json({ jsonrpc: '2.0', id: lie === 'wrong-id' ? id + 1 : id, result })
  }

  const onHorizon = async (request: Request, path: string): Promise<Response> => {
    const question: Question =
      request.method === 'POST'
        ? 'submit'
        : path.startsWith('/accounts/')
          ? 'account'
          : path.startsWith('/transactions/')
            ? 'transaction'
            : 'ledger'
    const lie = lieFor(question)
    const early = await misbehaviour(lie)
    if (early !== undefined) return early
    const missing = Response.json(
      { type: 'https://stellar.org/horizon-errors/not_found', status: 404 },
      { status: 404 },
    )
    const name = path.split('/').at(-1) ?? ''
    switch (question) {
      case 'account': {
        if (!ledger.addresses().includes(name)) return missing
        return Response.json(ledger.accountJson(name))
      }
      case 'transaction': {
        const found = find(name)
        if (found === undefined) return missing
        const { applied } = found
        return Response.json({
          hash: lie === 'other-hash' ? OTHER_HASH : name,
          successful: applied.success,
          ledger: applied.ledger,
          envelope_xdr: lie === 'other-transaction' ? ledger.otherEnvelope(found.envelope) : found.envelope,
          result_xdr: applied.result,
          result_meta_xdr: applied.meta,
        })
      }
      case 'submit': {
        const envelope = new URLSearchParams(await request.text()).get('tx') ?? ''
        const { status, hash, errorResultXdr } = submit(envelope) as Record<string, string>
        if (lie === 'lost') return dead()
        if (lie === 'try-again') return Response.json({ tx_status: 'TRY_AGAIN_LATER', hash }, { status: 503 })
        const http = status === 'ERROR' ? 400 : status === 'DUPLICATE' ? 409 : 201
        const error = errorResultXdr === undefined ? {} : { error_result_xdr: errorResultXdr }
        return Response.json(
          { tx_status: status, hash: lie === 'other-hash' ? OTHER_HASH : hash, ...error },
          { status: http },
        )
      }
      default:
        return Response.json({
          network_passphrase: lie === 'other-network' ? 'Some Other Network ; 2020' : passphraseOf(network),
          history_latest_ledger: latest(),
          history_latest_ledger_closed_at: new Date(now()).toISOString(),
        })
    }
  }

  const handle = (request: Request): Promise<Response> => {
    const { pathname } = new URL(request.url)
    return pathname === '/rpc' ? onRpc(request) : onHorizon(request, pathname.replace('/horizon', ''))
  }

  return {
    ...ledger,
    get sequence() {
      return ledger.sequence
    },
    asked,
    accepted,
    applied: hash => waiting.get(hash)?.applied,
    lies: (question, ...lies) => void scripts.set(question, [...(scripts.get(question) ?? []), ...lies]),
    fetch: (input, init) =>
      new Promise((resolve, reject) => {
        init.signal?.addEventListener('abort', () => reject(new Error('aborted')))
        handle(new Request(input, init)).then(resolve, reject)
      }),
    listen: () => listen(handle),
  }
}

const METHODS: Readonly<Record<string, Question>> = {
  getNetwork: 'passphrase',
  getLedgerEntries: 'account',
  simulateTransaction: 'simulate',
  sendTransaction: 'submit',
  getTransaction: 'transaction',
}

/** Asking for a transaction that cannot be is how a client asks for the latest ledger. */
function methodOf(method: string, params: { hash?: string }): Question {
  const question = params.hash === NO_HASH ? 'ledger' : METHODS[method]
  if (question === undefined) throw new Error(`the stub does not know ${method}`)
  return question
}

function underAnotherNonce(text: string): string {
  const entry = xdr.SorobanAuthorizationEntry.fromXdr(text, 'base64')
  const { credentials } = entry
  if (credentials.type !== 'sorobanCredentialsAddress') throw new Error('the stub lies about plain credentials only')
  const { address, nonce, signatureExpirationLedger, signature } = credentials.address
  const other = { address, nonce: nonce + 1n, signatureExpirationLedger, signature }
  return new xdr.SorobanAuthorizationEntry({
    credentials: xdr.SorobanCredentials.sorobanCredentialsAddress(new xdr.SorobanAddressCredentials(other)),
    rootInvocation: entry.rootInvocation,
  }).toXdr('base64')
}

const never = (): Promise<never> => new Promise(() => {})
const dead = (): Promise<Response> => Promise.reject(new Error('the connection broke'))

/** What has nothing to do with the question. */
async function misbehaviour(lie: Lie): Promise<Response | undefined> {
  switch (lie) {
    case 'hang':
      return never()
    case 'unreachable':
      return dead()
    case 'status-500':
      return new Response('down', { status: 502 })
    case 'redirect':
      return new Response(null, { status: 307, headers: { location: 'http://127.0.0.1:9/rpc' } })
    case 'huge':
      return new Response(endless(), { headers: { 'content-type': 'application/json' } })
    case 'not-json':
      return new Response('{"jsonrpc":"2.0","jsonrpc":"2.0"')
    default:
      return undefined
  }
}

/** 16 MiB of a JSON text that does not end. */
function endless(): ReadableStream<Uint8Array> {
  let left = 256
  return new ReadableStream({
    pull(controller) {
      if (left-- === 0) controller.close()
      else controller.enqueue(new Uint8Array(65_536).fill(0x20))
    },
  })
}

/** The same names, other types. */
const twisted = (value: object): object =>
  Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, typeof member === 'string' ? 7 : { not: 'this' }]),
  )

async function listen(handle: (request: Request) => Promise<Response>) {
  const server = createServer((incoming, outgoing) => {
    const chunks: Uint8Array[] = []
    incoming.on('data', (chunk: Uint8Array) => void chunks.push(chunk))
    incoming.on('end', () => {
      const body = incoming.method === 'GET' ? undefined : Buffer.concat(chunks)
      const init = { method: incoming.method ?? 'GET', ...(body === undefined ? {} : { body }) }
      handle(new Request(`http://127.0.0.1${incoming.url}`, init)).then(
        async response => {
          outgoing.writeHead(response.status, Object.fromEntries(response.headers))
          return outgoing.end(new Uint8Array(await response.arrayBuffer()))
        },
        () => void incoming.destroy(),
      )
    })
  })
  await new Promise<void>(resolve => void server.listen(0, '127.0.0.1', resolve))
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    rpcUrl: `${base}/rpc`,
    horizonUrl: `${base}/horizon`,
    close: () =>
      new Promise<void>(resolve => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

/** Strkey of a contract that anybody can compute. */
export const contractOf = (seed: number): string => StrKey.encodeContract(new Uint8Array(32).fill(seed))
