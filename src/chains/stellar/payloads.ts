import type { Asked, PayloadParser } from '../../domain/payload.ts'
import { toHex } from '../../bytes/hex.ts'
import { attach } from './attach.ts'
import { authEntry } from './auth-payload.ts'
import { challenge } from './challenge.ts'
import { describe } from './describe.ts'
import { message, rawDigest } from './message.ts'
import { parse } from './parse.ts'
import { operationSentences } from './sentences.ts'
import { slotOf } from './slot.ts'
import { toSign } from './to-sign.ts'
import { bodyIn } from './view.ts'

const transaction: PayloadParser = (payload, { network }): Asked => {
  const parsed = parse(payload, network)
  const { view } = parsed
  const { operations, source } = bodyIn(view)
  const { sentence } = describe(parsed)
  return {
    type: 'stellar-transaction',
    input: toSign(parsed),
    hash: toHex(parsed.hash),
    sentence,
    view,
    operations: [...(view.kind === 'fee-bump' ? ['feeBump'] : []), ...operations.map(({ type }) => type)],
    slot: () => slotOf(parsed),
    describe: () => ({
      json: parsed.envelope.toJson(),
      sentences: operations.flatMap(operation => operationSentences(operation, source)),
    }),
    attach: (publicKey, signature) => ({ signedXdr: attach(parsed, publicKey, signature) }),
  }
}

/** Everything that a Stellar key may be asked to sign. */
export const stellarPayloads: Readonly<Record<string, PayloadParser>> = {
  'stellar-transaction': transaction,
  'stellar-auth-entry': authEntry,
  'stellar-message': message,
  'stellar-challenge': challenge,
  'raw-digest': rawDigest,
}
