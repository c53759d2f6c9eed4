/** What a client knows of a signer that keeps dying: what it asked, what it was told; and what must be true of the disk after that. */
import assert from 'node:assert/strict'
import { Keypair } from '@stellar/stellar-sdk/base'
import { nodeAuditFiles } from '../../src/audit/node-files.ts'
import { readRecords } from '../../src/audit/read.ts'
import { verifyAuditLog } from '../../src/audit/verify.ts'
import { fromBase64 } from '../../src/bytes/base64.ts'
import { fromHex } from '../../src/bytes/hex.ts'
import { auditPath } from '../../src/compose/places.ts'
import type { AuditRecord, IntentEntry, OutcomeEntry } from '../../src/domain/audit.ts'
import type { SignAnswer } from '../../src/service/types.ts'
import { operations, v1 } from '../fuzz/xdr-corpus.ts'
import { EXAMPLE } from '../support/rig.ts'

const DENIED = v1({ operations: operations['accountMerge'] ?? [] }).toXdr('base64')

export interface Asked {
  readonly key: string
  readonly idempotencyKey: string
  readonly xdr: string
  /** The answer, once there was one. */
  signed?: SignAnswer
  /** Request ids of refusals that were answered: their records are acknowledged too. */
  readonly refused: string[]
}

export interface Ledger {
  readonly directory: string
  readonly keys: readonly string[]
  readonly asked: Asked[]
  readonly counts: {
    kills: number
    signed: number
    replayed: number
    refused: number
    lost: number
    interrupted: number
    torn: number
  }
}

export const newLedger = (directory: string, keys: readonly string[]): Ledger => ({
  directory,
  keys,
  asked: [],
  counts: { kills: 0, signed: 0, replayed: 0, refused: 0, lost: 0, interrupted: 0, torn: 0 },
})

export interface Server {
  readonly url: string
  readonly token: string
}

/** Sends one request. @returns false when no whole answer came back */
export async function ask(ledger: Ledger, server: Server, asked: Asked): Promise<boolean> {
  const headers = {
    authorization: `Bearer ${server.token}`,
    'content-type': 'application/json',
    'idempotency-key': asked.idempotencyKey,
  }
  const body = JSON.stringify({ type: 'stellar-transaction', xdr: asked.xdr })
  let response: Response
  let answer: SignAnswer & { code?: string; requestId: string }
  try {
    response = await fetch(`${server.url}/v1/keys/${asked.key}/sign`, { method: 'POST', headers, body })
    answer = (await response.json()) as typeof answer
  } catch {
    ledger.counts.lost++
    return false
  }
  if (response.ok) take(ledger, asked, answer, response.headers.get('idempotency-replayed') === 'true')
  else {
    const wanted = asked.xdr === DENIED ? ['policy/denied', 'audit/sealed'] : ['audit/sealed']
    assert.ok(wanted.includes(answer.code ?? ''), `${response.status} ${JSON.stringify(answer)}`)
    if (answer.code === 'policy/denied') asked.refused.push(answer.requestId)
    ledger.counts.refused++
  }
  return true
}

function take(ledger: Ledger, asked: Asked, answer: SignAnswer, replayed: boolean): void {
  const { address, hash, signature } = answer
  const bytes = (text: Uint8Array | undefined): Uint8Array => text ?? assert.fail('not encoded')
  assert.ok(
    Keypair.fromPublicKey(address).verify(bytes(fromHex(hash)), bytes(fromBase64(signature))),
    'does not verify',
  )
  if (asked.signed === undefined) asked.signed = answer
  else {
    assert.ok(replayed, `${asked.idempotencyKey} was signed a second time`)
    assert.deepEqual(answer, asked.signed, `${asked.idempotencyKey} got another answer`)
  }
  ledger.counts[replayed ? 'replayed' : 'signed']++
}

/** Callers that ask and ask until the server is gone or says no more. Every fifth request is one that policy denies. */
export async function load(ledger: Ledger, server: Server, callers: number, most = 1_000): Promise<void> {
  let left = most
  const caller = async (): Promise<void> => {
    while (left-- > 0) {
      const n = ledger.asked.length
      const key = ledger.keys[n % ledger.keys.length] ?? assert.fail()
      const asked: Asked = { key, idempotencyKey: `k-${n}`, xdr: n % 5 === 4 ? DENIED : EXAMPLE, refused: [] }
      ledger.asked.push(asked)
      if (!(await ask(ledger, server, asked))) return
    }
  }
  await Promise.all(Array.from({ length: callers }, caller))
}

/** After a restart: what was answered is answered the same again, what was not is answered now. */
export async function askAgain(ledger: Ledger, server: Server, from: number): Promise<void> {
  const recent = ledger.asked.slice(Math.max(0, from))
  for (let at = 0; at < recent.length; at += 16) {
    const answered = await Promise.all(recent.slice(at, at + 16).map(asked => ask(ledger, server, asked)))
    if (answered.includes(false)) return
  }
}

/** All records on the disk, and whether the chain holds. A torn tail may stand there until the next start. */
export async function readDisk(ledger: Ledger, tornIsFine: boolean): Promise<AuditRecord[]> {
  const files = await nodeAuditFiles(auditPath(ledger.directory), { access: 'read' })
  const report = await verifyAuditLog(files)
  if (!report.ok) {
    assert.ok(tornIsFine && report.kind === 'torn-tail', JSON.stringify(report))
    ledger.counts.torn++
  }
  const records: AuditRecord[] = []
  try {
    for await (const record of readRecords(files)) records.push(record)
  } catch (error) {
    if (report.ok) throw error
  }
  return records
}

/**
 * What the client holds, the log holds: an intent and an outcome with this very signature for every signature, a record
 * for every refusal that was answered, and never two releases under one idempotency key.
 */
export function checkHeld(ledger: Ledger, records: readonly AuditRecord[]): void {
  const intents = new Map<string, IntentEntry>()
  const released = new Map<string, OutcomeEntry>()
  const outcomeOf = new Map<string, OutcomeEntry>()
  const refused = new Set<string>()
  for (const record of records) {
    if (record.kind === 'intent') intents.set(record.auditId, record)
    if (record.kind !== 'outcome') continue
    assert.ok(!outcomeOf.has(record.auditId), `two outcomes for ${record.auditId}`)
    outcomeOf.set(record.auditId, record)
    if (record.result === 'refused') refused.add(record.requestId)
    if (record.result !== 'released') continue
    const { idempotency } = intents.get(record.auditId) ?? assert.fail(`no intent before the release ${record.auditId}`)
    const id = idempotency?.key ?? assert.fail()
    assert.ok(!released.has(id), `two releases for ${id}`)
    released.set(id, record)
  }
  for (const { idempotencyKey, signed, refused: answered } of ledger.asked) {
    for (const requestId of answered) assert.ok(refused.has(requestId), `refusal ${requestId} was answered and is lost`)
    if (signed === undefined) continue
    const outcome = released.get(idempotencyKey) ?? assert.fail(`${idempotencyKey} was answered and is lost`)
    assert.equal(outcome.signature, signed.signature, idempotencyKey)
    assert.equal(outcome.auditId, signed.auditId, idempotencyKey)
  }
}

/** After a recovery: every intent has its outcome. */
export function checkClosed(ledger: Ledger, records: readonly AuditRecord[]): void {
  const outcomes = new Map(
    records.flatMap(record => (record.kind === 'outcome' ? [[record.auditId, record] as const] : [])),
  )
  for (const record of records) {
    if (record.kind === 'intent') assert.ok(outcomes.has(record.auditId), `the intent ${record.auditId} has no outcome`)
  }
  ledger.counts.interrupted = [...outcomes.values()].filter(({ result }) => result === 'interrupted').length
}
