/**
 * Signatures of an envelope: whose they are, and the same transaction with those of several envelopes. Pure.
 *
 *   signaturesOf(xdr, network, candidates)     → Promise<{ hash, found: [{ signer, signature }], strange }>
 *   mergeEnvelopes(base, others, network)      → xdr, the union; another transaction is refused
 *   withSignatures(xdr, signatures, network)   → xdr with exactly these
 *   withoutSignatures(xdr, network)            → xdr with none
 *
 * A network refuses a transaction that holds a signature it has no use for (txBAD_AUTH_EXTRA), so what is to be submitted
 * is made by `withSignatures` of what `signaturesOf` found; `mergeEnvelopes` keeps what it does not know.
 */
import { xdr } from '@stellar/stellar-sdk/base'
import { fromBase64, toBase64 } from '../../bytes/base64.ts'
import { equalBytes } from '../../bytes/equal.ts'
import { toHex } from '../../bytes/hex.ts'
import { sha256 } from '../../bytes/sha256.ts'
import { verifySignature } from '../../bytes/verify.ts'
import type { Digest32 } from '../../domain/brands.ts'
import { readEnvelope, SIGNATURES_MAX, type StellarParsed } from './parse.ts'
import { refuse } from '../refusal.ts'

export interface SignatureFound {
  /** As the caller named the candidate: G…, P… or X…. */
  readonly signer: string
  /** Base64. 64 bytes; of X… the value that its hash was made of. */
  readonly signature: string
}

export interface SignaturesRead {
  /** Hash of the transaction, hex: what everybody signs. */
  readonly hash: string
  /** One a candidate, in the order of the envelope. */
  readonly found: readonly SignatureFound[]
  /** How many signatures are no candidate's, or not the first of one. */
  readonly strange: number
}

/**
 * Which of the candidates have signed. Of a fee bump the outer signatures; its hash covers the inner ones.
 * @param candidates  signers as accounts list them: G… (public key), P… (signed payload), X… (hash). T… (transaction
 *                    approved beforehand) needs no signature and is never found.
 * @throws `payload/invalid` when the envelope cannot be read, or a candidate is none of these
 */
export async function signaturesOf(
  envelope: string,
  network: string,
  candidates: readonly string[],
): Promise<SignaturesRead> {
  const parsed = readEnvelope(envelope, network)
  const signers = candidates.map(signerOf)
  const found: SignatureFound[] = []
  let strange = 0
  for (const { hint, signature } of parsed.envelope.value.signatures) {
    const bytes = signature.toBytes()
    const owner = await ownerOf(signers, hint.toBytes(), bytes, parsed.hash)
    if (owner === undefined || found.some(({ signer }) => signer === owner)) strange++
    else found.push({ signer: owner, signature: toBase64(bytes) })
  }
  return { hash: toHex(parsed.hash), found, strange }
}

/**
 * The base with every signature of the others behind its own, each once; whose they are is not asked. Spelling (V0, V1) and
 * order of the base stay.
 * @throws `payload/invalid` when one cannot be read, is another transaction, or more than 20 signatures come together
 */
export function mergeEnvelopes(base: string, others: readonly string[], network: string): string {
  const parsed = readEnvelope(base, network)
  const all = [...parsed.envelope.value.signatures]
  others.forEach((text, at) => {
    const other = readEnvelope(text, network, `envelopes.${at}`)
    if (!equalBytes(other.hash, parsed.hash)) {
      const reason = `is another transaction (${toHex(other.hash)}) than the first envelope (${toHex(parsed.hash)})`
      throw refuse(`envelopes.${at}`, reason)
    }
    for (const one of other.envelope.value.signatures) if (!all.some(held => isSame(held, one))) all.push(one)
  })
  return encode(parsed, all)
}

/**
 * The envelope with exactly these signatures, in this order.
 * @throws `payload/invalid` when it cannot be read, a signer or a signature is misspelt, or there are more than 20
 */
export function withSignatures(envelope: string, signatures: readonly SignatureFound[], network: string): string {
  const made = signatures.map(({ signer, signature }) => {
    const bytes = fromBase64(signature)
    if (bytes === undefined || bytes.length > SIGNATURE_BYTES_MAX)
      throw refuse('signature', 'is not a signature in base64')
    return new xdr.DecoratedSignature({ hint: signerOf(signer).hint, signature: bytes })
  })
  return encode(readEnvelope(envelope, network), made)
}

export const withoutSignatures = (envelope: string, network: string): string => withSignatures(envelope, [], network)

const SIGNATURE_BYTES_MAX = 64

/** The list ends the envelope; what stands before it is kept as it came. */
function encode({ bytes, signaturesAt }: StellarParsed, signatures: readonly xdr.DecoratedSignature[]): string {
  if (signatures.length > SIGNATURES_MAX) {
    throw refuse('signatures', `are ${signatures.length}; an envelope holds ${SIGNATURES_MAX} at most`)
  }
  const list = signatures.map(one => one.toXdr())
  const encoded = new Uint8Array(signaturesAt + 4 + list.reduce((sum, { length }) => sum + length, 0))
  encoded.set(bytes.subarray(0, signaturesAt))
  new DataView(encoded.buffer).setUint32(signaturesAt, list.length)
  let at = signaturesAt + 4
  for (const one of list) {
    encoded.set(one, at)
    at += one.length
  }
  return toBase64(encoded)
}

const isSame = (a: xdr.DecoratedSignature, b: xdr.DecoratedSignature): boolean =>
  equalBytes(a.hint.toBytes(), b.hint.toBytes()) && equalBytes(a.signature.toBytes(), b.signature.toBytes())

interface Candidate {
  readonly name: string
  /** Tells a validator which signer to try. */
  readonly hint: Uint8Array
  accepts(signature: Uint8Array, hash: Digest32): boolean | Promise<boolean>
}

async function ownerOf(
  candidates: readonly Candidate[],
  hint: Uint8Array,
  signature: Uint8Array,
  hash: Digest32,
): Promise<string | undefined> {
  for (const candidate of candidates) {
    if (equalBytes(candidate.hint, hint) && (await candidate.accepts(signature, hash))) return candidate.name
  }
  return undefined
}

/** @see CAP-40 for P…, and for its hint */
function signerOf(name: string): Candidate {
  const key = signerKeyOf(name)
  switch (key?.type) {
    case 'signerKeyTypeEd25519':
      return {
        name,
        hint: key.ed25519.toBytes().slice(-4),
        accepts: (signature, hash) => verifies(hash, key, signature),
      }
    case 'signerKeyTypeHashX': {
      const wanted = key.hashX.toBytes()
      return { name, hint: wanted.slice(-4), accepts: preimage => equalBytes(sha256(preimage), wanted) }
    }
    case 'signerKeyTypeEd25519SignedPayload': {
      const { ed25519, payload } = key.ed25519SignedPayload
      const tail = payload.length < 4 ? payload : payload.slice(-4)
      const hint = ed25519
        .toBytes()
        .slice(-4)
        .map((byte, at) => byte ^ (tail[at] ?? 0))
      return { name, hint, accepts: signature => verifies(payload, { ed25519 }, signature) }
    }
    case 'signerKeyTypePreAuthTx':
      return { name, hint: new Uint8Array(), accepts: () => false }
    default:
      throw refuse('candidates', `hold ${JSON.stringify(name.slice(0, 80))}, which is no G…, P…, X… or T…`)
  }
}

function signerKeyOf(name: string): xdr.SignerKey | undefined {
  try {
    const key = xdr.SignerKey.fromJson(name)
    return key.toJson() === name ? key : undefined
  } catch {
    return undefined // the SDK throws several kinds of errors on what is no strkey
  }
}

const verifies = (
  message: Uint8Array,
  { ed25519 }: { readonly ed25519: { toBytes(): Uint8Array } },
  signature: Uint8Array,
) => verifySignature({ scheme: 'ed25519', message }, ed25519.toBytes(), signature)
