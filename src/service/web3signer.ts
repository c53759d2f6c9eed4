/** The part of Web3Signer's REST that signs for Ethereum accounts, on the path of a signature like everything else. */
import { keccak_256 } from '@noble/hashes/sha3.js'
import { fromHex, toHex } from '../bytes/hex.ts'
import { parseStrictJson } from '../bytes/json.ts'
import { malformed, SignerError } from '../domain/errors.ts'
import type { ResolvedKey } from '../domain/key.ts'
import {
  admitRpc,
  askingFor,
  listedKeys,
  recordRefused,
  type RpcDeps,
  type RpcRequest,
  type RpcVisit,
} from './rpc-visit.ts'
import { leave } from './release.ts'
import { sign } from './sign.ts'
import type { CallerLike, SignRequest } from './types.ts'

/** How Web3Signer names a key: the public key, 64 bytes in hex without the leading 04. */
const identifierOf = ({ version }: ResolvedKey): string => `0x${toHex(version.publicKey.subarray(1))}`

export async function web3PublicKeys<C extends CallerLike>(deps: RpcDeps<C>, request: RpcRequest): Promise<string[]> {
  return (await listedKeys(await admitRpc(deps, request))).map(identifierOf)
}

/**
 * `{"data":"0x…"}`: bytes that Web3Signer hashes with Keccak-256 and signs, whatever they are. Here they are read first. An
 * unsigned transaction is judged as a transaction, an EIP-191 message as a message; anything else is a digest that nobody
 * can judge, which only a policy with `rawDigests` signs.
 *
 * @param identifier  public key in hex, with 0x or without, with the leading 04 or without
 * @returns r‖s‖v, 0x hex
 * @throws `access/denied` for a key that the token does not reach, there or not; and as `sign`
 */
export async function web3Sign<C extends CallerLike>(
  deps: RpcDeps<C>,
  request: RpcRequest & { readonly identifier: string },
): Promise<string> {
  const visit = await admitRpc(deps, request)
  const { evmSignature } = await leave(deps, await sign(visit.deps, await wantedOf(visit, request)))
  if (evmSignature === undefined) throw new SignerError('signature/malformed', { reason: 'it has no EVM form' })
  return evmSignature
}

async function wantedOf<C extends CallerLike>(
  visit: RpcVisit<C>,
  request: RpcRequest & { readonly identifier: string },
): Promise<SignRequest> {
  try {
    const publicKey = publicKeyIn(request.identifier)
    const [held] = publicKey === undefined ? [] : await visit.holding({ publicKey })
    if (held === undefined) {
      throw new SignerError('access/denied', { action: 'sign', reason: 'no key of the token has this public key' })
    }
    const { key, version } = held
    const payload = payloadOf(dataOf(request.body))
    return askingFor(request, { key: key.name, version: version.version, payload }, { prefix: 'web3' })
  } catch (error) {
    throw recordRefused(visit, error)
  }
}

/** As this program writes it, 65 bytes in hex; whatever else it is, it is no key's. */
function publicKeyIn(identifier: string): Uint8Array | undefined {
  const digits = identifier.toLowerCase().replace(/^0x/, '')
  return fromHex(digits.length === 128 ? `04${digits}` : digits)
}

const FIX = 'send {"data":"0x…"}'

function dataOf(body: Uint8Array): Uint8Array {
  const json = parseStrictJson(body)
  if (json === null || typeof json !== 'object' || Array.isArray(json)) throw malformed('', 'is not an object', FIX)
  const { data, ...more } = json
  const [unknown] = Object.keys(more)
  if (unknown !== undefined) throw malformed(unknown.slice(0, 64), 'is not a field of a signing request', FIX)
  const bytes = typeof data === 'string' && data.startsWith('0x') ? fromHex(data.slice(2).toLowerCase()) : undefined
  if (bytes === undefined || bytes.length === 0) throw malformed('data', 'is not bytes in 0x hex', FIX)
  return bytes
}

const MESSAGE_HEAD = new TextEncoder().encode('\u0019Ethereum Signed Message:\n')
/** EIP-2718 types that are known, and the first byte of an RLP list from 55 bytes on. */
const isTransaction = (first: number): boolean => (first >= 0x01 && first <= 0x04) || first >= 0xc0

function payloadOf(data: Uint8Array): { readonly type: string } & Readonly<Record<string, string>> {
  if (MESSAGE_HEAD.every((byte, at) => data[at] === byte)) {
    const message = messageIn(data.subarray(MESSAGE_HEAD.length))
    if (message !== undefined) return { type: 'evm-message', hex: `0x${toHex(message)}` }
  } else if (isTransaction(data[0] ?? 0)) return { type: 'evm-transaction', unsigned: `0x${toHex(data)}` }
  return { type: 'raw-digest', digest: toHex(keccak_256(data)) }
}

/** EIP-191, version 0x45: the length in decimal digits, then the message. @returns undefined when they do not agree */
function messageIn(rest: Uint8Array): Uint8Array | undefined {
  for (let digits = 1; digits <= Math.min(7, rest.length); digits++) {
    const length = String(rest.length - digits)
    if (length.length !== digits) continue
    const stated = new TextDecoder().decode(rest.subarray(0, digits))
    if (stated === length) return rest.subarray(digits)
  }
  return undefined
}
