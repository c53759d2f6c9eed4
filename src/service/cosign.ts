import { equalBytes } from '../bytes/equal.ts'
import { parseStrictJson } from '../bytes/json.ts'
import { mergeEnvelopes, SIGNATURES_MAX, signaturesOf } from '../chains/stellar/index.ts'
import { malformed, SignerError } from '../domain/errors.ts'
import { KEY_NAME } from '../domain/key.ts'
import { leaveTogether } from './release.ts'
import { objectOf } from './request.ts'
import {
  arrive,
  type Judged,
  judgeTogether,
  type Signature,
  signTogether,
  type TogetherRequest,
  type Wanted,
} from './together.ts'
import type { CallerLike, SignDeps } from './types.ts'

export interface Cosigned {
  /** The envelope as it was sent, with every signature that was made behind those it held; base64 XDR. */
  readonly signedXdr: string
  /** Transaction hash, hex. */
  readonly hash: string
  /** In the order of the keys. */
  readonly results: readonly (Signature & { readonly key: string })[]
}

/**
 * Several keys sign one envelope. All or nothing in judgement, per key in the result, as `signBatch`. Of a fee bump they
 * sign the outer transaction; the inner one with its signatures stays as it came, byte for byte.
 *
 * @throws as `signBatch`; `payload/invalid` when there is no room for so many signatures
 */
export async function cosign<Caller extends CallerLike>(
  deps: SignDeps<Caller>,
  request: TogetherRequest,
): Promise<Cosigned> {
  const together = await arrive(deps, request, SIGNATURES_MAX, readCosign)
  const { wanted, xdr } = together.wanted
  const judged = await judgeTogether(together, wanted, async each => {
    requireDistinct(each, wanted)
    await requireRoom(each, xdr)
  })
  const signatures = await leaveTogether(deps, await signTogether(together, judged))
  const results = signatures.map((signature, at) => ({ key: wanted[at]?.key ?? '', ...signature }))
  const [{ asked, resolved }] = judged as readonly [Judged, ...Judged[]]
  const signed = signatures.flatMap(each => ('answer' in each ? [each.answer.signedXdr ?? xdr] : []))
  return { signedXdr: mergeEnvelopes(xdr, signed, resolved.key.network), hash: asked.hash, results }
}

/** Two names for one public key would be one signature, where two were meant. */
function requireDistinct(judged: readonly Judged[], wanted: readonly Wanted[]): void {
  judged.forEach(({ resolved }, at) => {
    const twin = judged.findIndex(other => equalBytes(other.resolved.version.publicKey, resolved.version.publicKey))
    if (twin === at) return
    const reason = `has the public key of ${wanted[twin]?.key}, ${resolved.version.address}`
    throw malformed(wanted[at]?.field ?? '', reason, 'name each signer once')
  })
}

/** What our keys have signed already takes no second place. */
async function requireRoom(judged: readonly Judged[], xdr: string): Promise<void> {
  const [{ asked, resolved }] = judged as readonly [Judged, ...Judged[]]
  const held = 'signatures' in asked.view ? asked.view.signatures : 0
  const ours = judged.map(({ resolved }) => resolved.version.address)
  const { found } = await signaturesOf(xdr, resolved.key.network, ours)
  if (held + ours.length - found.length <= SIGNATURES_MAX) return
  const reason = `holds ${held} signatures; there is no room for ${ours.length - found.length} more`
  throw new SignerError('payload/invalid', { field: 'xdr', reason })
}

const EXAMPLE = 'send {"keys":["channel-3","treasury"],"payload":{"type":"stellar-transaction","xdr":"…"}}'

function readCosign(
  body: Uint8Array,
  idempotencyKey: string,
): { readonly wanted: readonly Wanted[]; readonly xdr: string } {
  const { keys, payload: sent, ...more } = objectOf(parseStrictJson(body), 'body', EXAMPLE)
  const [unknown] = Object.keys(more)
  if (unknown !== undefined) throw malformed(unknown.slice(0, 64), 'is not a field of this request', EXAMPLE)
  if (!Array.isArray(keys) || keys.length === 0 || keys.length > SIGNATURES_MAX) {
    throw malformed('keys', `is not a list of 1 to ${SIGNATURES_MAX} names: an envelope holds no more`, EXAMPLE)
  }
  const payload = objectOf(sent, 'payload', EXAMPLE)
  if (payload['type'] !== 'stellar-transaction') {
    throw malformed('payload.type', 'is not "stellar-transaction"', EXAMPLE)
  }
  const xdr = payload['xdr']
  if (typeof xdr !== 'string') throw malformed('payload.xdr', 'is not a text', EXAMPLE)
  const wanted = keys.map((key: unknown, at) => {
    const field = `keys[${at}]`
    if (typeof key !== 'string' || !KEY_NAME.test(key)) throw malformed(field, 'is not a key name', EXAMPLE)
    if (keys.indexOf(key) < at) throw malformed(field, `names ${key} a second time`, 'name each signer once')
    return { field, key, payload, idempotencyKey: `${idempotencyKey}/${at + 1}` }
  })
  return { wanted, xdr }
}
