/** One run of the matrix: a world of its own, one fault, one call, and everything that has to be true of it. */
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { digest32 } from '../../src/domain/brands.ts'
import { type ErrorCode, isSignerError } from '../../src/domain/errors.ts'
import type { EnvelopeProvider } from '../../src/domain/provider.ts'
import { libsodiumVerify } from '../support/libsodium-oracle.ts'
import { DIGEST, HASH } from './answers.ts'
import { BREAKS, type Broken, type How } from './breaks.ts'
import { faultProxy } from './proxy.ts'
import { type CallName, CANARIES, ENVELOPE_PUBLIC, PUBLIC, type Remote, SECP_PUBLIC } from './remotes.ts'
import type { SteadyClock } from './steady-clock.ts'
import { type DataPlane, openDataPlane, TRIES } from './world.ts'

/** How the table calls what a caller hears. `ok`: a signature that libsodium accepts; for a public key: it was pinned. */
export const WORDS = {
  unavail: 'provider/unavailable',
  ambig: 'provider/ambiguous',
  refused: 'provider/refused',
  malformed: 'provider/malformed',
  corrupt: 'provider/corrupt',
  mismatch: 'key/mismatch',
  unreadable: 'envelope/unreadable',
  'other-seed': 'envelope/mismatch',
  unverified: 'signature/unverified',
  'bad-sig': 'signature/malformed',
  unsupported: 'key/unsupported',
} as const satisfies Record<string, ErrorCode>
export type Word = keyof typeof WORDS | 'ok'

/** Answers that no honest service gives: they put the key in quarantine. */
const LIES: readonly Word[] = ['corrupt', 'mismatch', 'unreadable', 'other-seed', 'unverified', 'bad-sig']
const SLACK_MS = 100

/** The total deadline: short where nothing but the deadline ends the call, or where it has to be shorter than a wait that is asked for. */
const WAITS: readonly How[] = [
  'throttled',
  'throttled, Retry-After',
  'silence after accept',
  'silence after the request',
  '1 byte a second',
]
/** No request can have come. */
const BEFORE: readonly How[] = ['reset on connect', 'no such name', 'reset at the first byte', 'silence after accept']
const deadlineOf = (how: How): number => (WAITS.includes(how) ? 400 : 2_000)

export interface Run {
  readonly word: string
  /** Beyond the deadline, by the steady clock; negative: before it. */
  readonly overMs: number
  readonly requests: number
  /** Empty: as it has to be. */
  readonly problems: readonly string[]
}

interface Heard {
  readonly word: string
  readonly code: string
  readonly text: string
  readonly retryAfterMs: number
}

const verified = await libsodiumVerify()
const isEcdsa = (how: How): boolean => how.startsWith('secp256k1')
const wordOf = (code: string): string => Object.entries(WORDS).find(([, each]) => each === code)?.[0] ?? code

export async function run(
  remote: Remote,
  call: CallName,
  how: How,
  expected: readonly Word[],
  clock: SteadyClock,
): Promise<Run> {
  const deadlineMs = deadlineOf(how)
  const proxy = await faultProxy(remote.target, remote.protocol)
  const broken: Broken = await BREAKS[how]({ remote, call, proxy })
  let provider = await remote.open(broken.endpoint ?? proxy.url, broken.who ?? 'signer', broken.fetch)
  const opened: EnvelopeProvider[] = [provider]
  const plane = await openDataPlane(remote, call === 'decrypt' ? 'envelope' : 'native', () => provider, {
    clock,
    deadlineMs,
  })
  const problems: string[] = []
  const must = (holds: boolean, problem: string): void => void (holds || problems.push(problem))
  const arrived = (): number => proxy.requests + (broken.requests?.() ?? 0)
  const texts: string[] = []
  const ask = async (): Promise<Heard> => {
    const heard = await asked(plane, call, isEcdsa(how))
    texts.push(heard.text)
    return heard
  }
  try {
    if (broken.warm) must((await ask()).word === 'ok', 'the connection could not be used before')
    await broken.arm?.()
    const [requestsBefore, recordsBefore] = [arrived(), (await plane.records()).length]
    const from = clock.monotonic()
    const heard = await ask()
    const to = clock.monotonic()
    const [requests, records] = [arrived() - requestsBefore, (await plane.records()).slice(recordsBefore)]
    const overMs = to - from - deadlineMs

    must((expected as readonly string[]).includes(heard.word), `${heard.code}, ${expected.join(' or ')} was expected`)
    must(overMs <= SLACK_MS, `answered ${overMs.toFixed(0)} ms after the deadline`)
    // A runtime may repeat a GET by itself when a connection it had kept dies under it (RFC 9110 §9.2.2); never a POST.
    const tries = TRIES + (broken.warm && call === 'public key' ? 1 : 0)
    must(requests <= tries, `${requests} requests for ${tries} tries`)
    const once = call === 'sign' && heard.word === 'ambig'
    must(!once || requests === (BEFORE.includes(how) ? 0 : 1), `${requests} requests to sign, and an ambiguous answer`)
    const extra = broken.also?.()
    if (extra !== undefined) problems.push(extra)
    if (!isEcdsa(how)) problems.push(...onRecord(records, call, heard))

    await broken.mend?.()
    if (broken.endpoint !== undefined || broken.who !== undefined) {
      provider = await remote.open(proxy.url, 'signer')
      opened.push(provider)
    }
    if (!isEcdsa(how)) problems.push(...(await afterwards({ plane, call, clock, ask, arrived }, heard)))
    const shown = JSON.stringify([texts, plane.logs, await plane.records()])
    const leaked = CANARIES.filter(canary => shown.includes(canary))
    must(leaked.length === 0, `a secret shows: ${leaked.length} canaries`)
    must(!shown.includes('"incident"'), 'something unforeseen was thrown')
    return { word: heard.word, overMs, requests, problems }
  } finally {
    await Promise.all(opened.map(each => each.close()))
    await plane.close()
    await proxy.close()
  }
}

async function asked(plane: DataPlane, call: CallName, ecdsa: boolean): Promise<Heard> {
  if (ecdsa) return heardOf(plane.signDigest({ scheme: 'ecdsa-secp256k1', digest: digest32(DIGEST) }), isEthereum)
  if (call === 'public key') return heardOf(plane.adopt(), key => same(key.version.publicKey, PUBLIC))
  const response = await plane.sign()
  const headers = JSON.stringify([...response.headers])
  const answer = (await response.json()) as Record<string, unknown>
  const text = headers + JSON.stringify(answer)
  if (response.status === 200) {
    const signature = Buffer.from(String(answer['signature']), 'base64')
    const good = verified(call === 'decrypt' ? ENVELOPE_PUBLIC : PUBLIC, HASH, signature)
    return { word: good ? 'ok' : 'RELEASED A LIE', code: 'ok', text, retryAfterMs: 0 }
  }
  const code = String(answer['code'])
  return { word: wordOf(code), code, text, retryAfterMs: Number(answer['retryAfterMs'] ?? 0) }
}

/** What an operator's command, or a caller inside, would be shown of it. */
async function heardOf<T>(promise: Promise<T>, isGood: (value: T) => boolean): Promise<Heard> {
  try {
    return { word: isGood(await promise) ? 'ok' : 'RELEASED A LIE', code: 'ok', text: '', retryAfterMs: 0 }
  } catch (error) {
    if (!isSignerError(error)) return { word: 'UNTYPED', code: String(error), text: String(error), retryAfterMs: 0 }
    const { code, detail } = error
    const retryAfterMs = 'retryAfterMs' in detail ? (detail.retryAfterMs ?? 0) : 0
    return { word: wordOf(code), code, text: JSON.stringify(detail) + error.message, retryAfterMs }
  }
}

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0
/** As Ethereum takes them: low s, over the digest itself. */
const isEthereum = (signature: Uint8Array): boolean =>
  secp256k1.verify(signature, DIGEST, SECP_PUBLIC, { prehash: false, lowS: true })

/** One intent and one outcome, which says what the caller heard. A key that is being registered has neither. */
function onRecord(records: Awaited<ReturnType<DataPlane['records']>>, call: CallName, heard: Heard): string[] {
  const events = records.flatMap(record => (record.kind === 'event' ? [record.event] : []))
  if (call === 'public key') {
    const wanted = heard.word === 'ok' ? ['key-registering', 'key-registered'] : []
    const isRight = records.length === events.length && events.join() === wanted.join()
    return isRight ? [] : [`records of a registration: ${records.map(each => each.kind).join()} ${events.join()}`]
  }
  const [intents, outcomes] = [
    records.filter(each => each.kind === 'intent'),
    records.filter(each => each.kind === 'outcome'),
  ]
  const [outcome] = outcomes
  const problems: string[] = []
  if (intents.length !== 1 || outcomes.length !== 1)
    problems.push(`${intents.length} intents, ${outcomes.length} outcomes`)
  if (intents[0]?.auditId !== outcome?.auditId) problems.push('intent and outcome do not belong together')
  const released = heard.word === 'ok'
  if ((outcome?.result === 'released') !== released) problems.push(`the outcome says ${outcome?.result}`)
  if ((outcome?.signature === undefined) === released)
    problems.push('a signature stands where none was released, or none where one was')
  if (!released && outcome?.errorCode !== heard.code) problems.push(`the outcome says ${outcome?.errorCode}`)
  const quarantined = LIES.includes(heard.word as Word)
  if (events.join() !== (quarantined ? 'key-quarantined' : '')) problems.push(`events ${events.join()}`)
  return problems
}

/** The fault is gone: who lied stays out until an operator has looked, and everybody else signs again. */
async function afterwards(
  {
    plane,
    call,
    clock,
    ask,
    arrived,
  }: {
    readonly plane: DataPlane
    readonly call: CallName
    readonly clock: SteadyClock
    readonly ask: () => Promise<Heard>
    readonly arrived: () => number
  },
  heard: Heard,
): Promise<string[]> {
  const problems: string[] = []
  const must = (holds: boolean, problem: string): void => void (holds || problems.push(problem))
  const names = await plane.names()
  if (call === 'public key' && heard.word !== 'ok')
    must(
      names.every(name => name === 'treasury' || name === 'adopted-1'),
      `registered ${names.join()}`,
    )
  if (call !== 'public key' && LIES.includes(heard.word as Word)) {
    must((await plane.state()) === 'quarantined', `the key is ${await plane.state()}`)
    const before = arrived()
    const again = await ask()
    must(again.code === 'key/not-active', `asked again: ${again.code}`)
    must(arrived() === before, 'the service was asked for a key in quarantine')
    return problems
  }
  must((await plane.state()) === 'active', `the key is ${await plane.state()}`)
  if (heard.retryAfterMs > 0) await clock.sleep(heard.retryAfterMs + 20)
  const healthy = await ask()
  must(healthy.word === 'ok', `healthy again, and still ${healthy.code} ${healthy.text}`)
  return problems
}
