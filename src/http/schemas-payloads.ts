/** What a key may be asked to sign, and what an answer holds, for the document of the data plane. Each chain module checks its own. */
import { z } from '@hono/zod-openapi'
import { base64, type Registry } from './registry.ts'

const hex = (description: string) => z.string().openapi({ description, example: '0x…' })
const text = (description: string) => z.string().openapi({ description })
const loose = (description: string) => z.looseObject({}).openapi({ description })

export function payloadSchemas(registry: Registry) {
  const stellarTransaction = registry.register(
    'StellarTransaction',
    z.strictObject({
      type: z.literal('stellar-transaction'),
      xdr: base64(
        'TransactionEnvelope (V0, V1 or fee-bump), standard base64 of its XDR. The network comes from the key.',
      ),
    }),
  )
  const authEntry = registry.register(
    'StellarAuthEntry',
    z
      .strictObject({
        type: z.literal('stellar-auth-entry'),
        preimage: base64('HashIdPreimage of a Soroban authorization, as wallets are given it.').optional(),
        entry: base64('Instead: the SorobanAuthorizationEntry, which comes back signed.').optional(),
        expirationLedger: z
          .int()
          .optional()
          .openapi({ description: 'With entry: the last ledger in which it is good.' }),
      })
      .openapi({ description: 'CAP-46-11, CAP-71.' }),
  )
  const stellarMessage = registry.register(
    'StellarMessage',
    z
      .strictObject({
        type: z.literal('stellar-message'),
        message: text('Signed as its UTF-8.').optional(),
        bytes: base64('Instead of message.').optional(),
      })
      .openapi({ description: 'SEP-53.' }),
  )
  const challenge = registry.register(
    'StellarChallenge',
    z
      .strictObject({
        type: z.literal('stellar-challenge'),
        role: z.enum(['server', 'client']),
        xdr: base64('The challenge; for a client, signed by the server.'),
        serverAddress: text('What it must say, where given.').optional(),
        homeDomain: text('What it must say, where given.').optional(),
        webAuthDomain: text('What it must say, where given.').optional(),
      })
      .openapi({ description: 'SEP-10.' }),
  )
  const evmTransaction = registry.register(
    'EvmTransaction',
    z
      .strictObject({
        type: z.literal('evm-transaction'),
        transaction: loose('Fields as JSON-RPC spells them, quantities in strict hex; `chainId` is needed.').optional(),
        unsigned: hex('Instead: the unsigned transaction in RLP.').optional(),
      })
      .openapi({ description: 'Types 0 to 4 (EIP-155, 2930, 1559, 4844, 7702).' }),
  )
  const evmMessage = registry.register(
    'EvmMessage',
    z
      .strictObject({
        type: z.literal('evm-message'),
        message: text('Signed as its UTF-8.').optional(),
        hex: hex('Instead of message.').optional(),
      })
      .openapi({ description: 'EIP-191.' }),
  )
  const typedData = registry.register(
    'EvmTypedData',
    z
      .strictObject({
        type: z.literal('evm-typed-data'),
        typedData: loose('`types`, `primaryType`, `domain` and `message`.'),
      })
      .openapi({ description: 'EIP-712.' }),
  )
  const evmAuthorization = registry.register(
    'EvmAuthorization',
    z
      .strictObject({
        type: z.literal('evm-authorization'),
        authorization: loose('`chainId`, `address` and `nonce`, quantities in strict hex.'),
      })
      .openapi({ description: 'EIP-7702: hands the account to the code at `address`.' }),
  )
  const approval = registry.register(
    'ApprovalPayload',
    z
      .strictObject({
        type: z.literal('approval'),
        approval: loose('`action`, `audience`, `subject`, `issuedAt`, `expiresAt`, `correlationId` and `details`.'),
      })
      .openapi({ description: 'Canonical JSON (RFC 8785) in a JWS.' }),
  )
  const digest = registry.register(
    'RawDigest',
    z
      .strictObject({ type: z.literal('raw-digest'), digest: text('32 bytes in hex, without 0x.') })
      .openapi({ description: 'Signed as it is, where a policy grants that.' }),
  )
  return z
    .union([
      stellarTransaction,
      authEntry,
      stellarMessage,
      challenge,
      evmTransaction,
      evmMessage,
      typedData,
      evmAuthorization,
      approval,
      digest,
    ])
    .openapi({ description: 'What is to be signed. Which types there are depends on the chain of the key.' })
}

/** What comes back beside the bare signature; which member there is says the type of the payload. */
export const signedPayload = {
  signedXdr: base64('The envelope with the signature attached (stellar-transaction, stellar-challenge).').optional(),
  signedAuthEntry: base64('The signed entry, where an entry was sent.').optional(),
  signedTransaction: hex('The raw transaction (evm-transaction).').optional(),
  evmSignature: hex('r‖s‖v, 65 bytes; v is 27 or 28 (EVM payloads).').optional(),
  signedAuthorization: z.record(z.string(), z.string()).optional().openapi({ description: 'evm-authorization.' }),
  jws: text('Compact JWS (approval).').optional(),
}
