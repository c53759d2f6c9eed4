import { z } from '@hono/zod-openapi'
import { PROPOSAL_STATES } from '../domain/proposals.ts'
import { base64, json, type Registry, security, type Words } from './registry.ts'

interface Several extends Words {
  /** What one of several signatures came to. */
  readonly signature: z.ZodObject
  readonly problem: z.ZodType
}

const MORE = { 409: 'it does not allow this now', 413: 'too large', 415: 'not JSON' }
const GONE = { ...MORE, 404: 'none with this id that the token may see' }
const NODE = { 502: 'the network answered wrongly', 503: 'the network does not answer' }
const once = z.object({
  'Idempotency-Key': z.string().openapi({ description: 'Required. The same for retries of a request.' }),
})

/** Several signatures on one envelope: at once, or as a proposal that waits for them. */
export function describeProposals(registry: Registry, { signature, problem, answer, refusals }: Several): void {
  const Signed = z.union([
    z.strictObject({ key: z.string(), status: z.literal(200), answer: signature.extend({ replayed: z.boolean() }) }),
    z.strictObject({ key: z.string(), status: z.int(), problem }),
  ])
  registry.registerPath({
    method: 'post',
    path: '/v1/cosign',
    summary: 'Have several keys sign one envelope',
    description:
      'All or nothing in judgement: unless every key may sign, none does, and `findings` of the problem names each that may not. Per key in the result: a key that its service fails has its problem, and the same request with the same Idempotency-Key signs what is missing. Of a fee bump the outer transaction is signed.',
    security,
    request: {
      headers: once,
      body: {
        required: true,
        ...json(
          z.strictObject({
            keys: z.array(z.string()).min(1).max(20).openapi({ description: 'Each once; keys of one network.' }),
            payload: z.strictObject({ type: z.literal('stellar-transaction'), xdr: base64('TransactionEnvelope.') }),
          }),
        ),
      },
    },
    responses: {
      200: answer(
        'Understood; every key has its own status.',
        z.strictObject({
          signedXdr: base64('The envelope with every signature that was made behind those it held.'),
          hash: z.string().openapi({ description: 'Transaction hash, hex.' }),
          results: z.array(Signed).openapi({ description: 'In the order of the keys.' }),
        }),
      ),
      ...refusals({ ...MORE, 422: 'Idempotency-Key of another request', 503: 'not available, overloaded or sealed' }),
    },
  })

  const weight = z.int().min(1).max(255)
  const Needed = z.strictObject({
    account: z.string(),
    threshold: weight,
    signers: z
      .array(z.strictObject({ key: z.string(), weight }))
      .min(1)
      .max(21),
  })
  const view = {
    id: z.string(),
    state: z.enum(PROPOSAL_STATES),
    ready: z.boolean().openapi({ description: 'It has all the weight it needs.' }),
    network: z.string(),
    hash: z.string().openapi({ description: 'Transaction hash, hex.' }),
    summary: z.string(),
    keys: z.array(z.string()).openapi({ description: 'Keys of this service that may sign it.' }),
    accounts: z.array(
      z.strictObject({
        account: z.string(),
        threshold: z.int(),
        weight: z.int().openapi({ description: 'Of those who have signed.' }),
        missing: z.int(),
        signers: z.array(z.strictObject({ key: z.string(), weight: z.int(), signed: z.boolean() })),
      }),
    ),
    signatures: z.array(
      z.strictObject({
        signer: z.string(),
        signature: base64('64 bytes.'),
        key: z.string().nullable().openapi({ description: 'Key of this service; null: it was brought from outside.' }),
        by: z.string(),
        at: z.iso.datetime(),
      }),
    ),
    proposedBy: z.string(),
    proposedAt: z.iso.datetime(),
    expiresAt: z.iso.datetime(),
    outcome: z.string().nullable().openapi({ description: 'How it ended: the ledger it is in, or why not.' }),
  }
  const Proposal = registry.register('Proposal', z.strictObject(view))
  const one = z.object({ proposal: z.string().openapi({ description: 'Id of the proposal.' }) })
  const refused = refusals(GONE)

  registry.registerPath({
    method: 'post',
    path: '/v1/proposals',
    summary: 'Keep a transaction until it has the signatures it needs',
    description: 'Takes the scope `propose:<key>` for every key. One Idempotency-Key is one proposal.',
    security,
    request: {
      headers: once,
      body: {
        required: true,
        ...json(
          z.strictObject({
            xdr: base64('TransactionEnvelope; signatures on it count once they verify.'),
            keys: z.array(z.string()).min(1).max(20),
            needed: z
              .array(Needed)
              .min(1)
              .max(101)
              .optional()
              .openapi({ description: 'Who must sign for each source account; left out: read from the accounts.' }),
            expiresInSeconds: z.int().min(1).max(2_592_000).optional().openapi({ description: 'A day unless told.' }),
          }),
        ),
      },
    },
    responses: {
      202: answer('It waits.', z.strictObject({ approvalId: z.string(), ...view })),
      ...refusals({ ...GONE, ...NODE, 422: 'Idempotency-Key of another proposal' }),
    },
  })
  registry.registerPath({
    method: 'get',
    path: '/v1/proposals',
    summary: 'The proposals of which the token may read every key',
    security,
    request: {
      query: z.object({
        state: z.enum(PROPOSAL_STATES).optional(),
        limit: z.string().optional().openapi({ description: '1 to 200; 50 unless told.' }),
      }),
    },
    responses: {
      200: answer('The newest first.', z.strictObject({ proposals: z.array(Proposal) })),
      ...refusals({}),
    },
  })
  registry.registerPath({
    method: 'get',
    path: '/v1/proposals/{proposal}',
    summary: 'Look at a proposal',
    security,
    request: { params: one },
    responses: { 200: answer('Weights as they are now.', Proposal), ...refused },
  })
  registry.registerPath({
    method: 'get',
    path: '/v1/proposals/{proposal}/envelope',
    summary: 'The envelope with all signatures so far, and a link for wallets',
    security,
    request: {
      params: one,
      query: z.object({
        callback: z.string().optional().openapi({ description: 'https URL to which a wallet posts what it signed.' }),
        msg: z.string().optional().openapi({ description: 'What the wallet shows, up to 300 characters.' }),
      }),
    },
    responses: {
      200: answer(
        'For a signer outside.',
        z.strictObject({
          xdr: base64('TransactionEnvelope.'),
          hash: z.string(),
          network: z.string(),
          networkPassphrase: z.string(),
          ready: z.boolean(),
          link: z.string().openapi({ description: '`web+stellar:tx?…` (SEP-7).' }),
        }),
      ),
      ...refused,
    },
  })
  registry.registerPath({
    method: 'post',
    path: '/v1/proposals/{proposal}/collect',
    summary: 'Have keys of this service sign it',
    description: 'Takes `propose:<key>` for every key of the proposal, and `sign:<key>` for those that sign.',
    security,
    request: {
      params: one,
      body: {
        required: false,
        ...json(
          z.strictObject({
            keys: z
              .array(z.string())
              .min(1)
              .max(20)
              .optional()
              .openapi({ description: 'Left out: all that have not.' }),
          }),
        ),
      },
    },
    responses: {
      200: answer('Each key has its own status.', z.strictObject({ ...view, results: z.array(Signed) })),
      ...refused,
    },
  })
  registry.registerPath({
    method: 'post',
    path: '/v1/proposals/{proposal}/signatures',
    summary: 'Bring signatures of others',
    security,
    request: {
      params: one,
      body: {
        required: true,
        ...json(
          z.union([
            z.strictObject({ xdr: base64('The same transaction with more signatures.') }),
            z.strictObject({
              signatures: z
                .array(z.strictObject({ signer: z.string(), signature: base64('64 bytes, or a DecoratedSignature.') }))
                .min(1)
                .max(20),
            }),
          ]),
        ),
      },
    },
    responses: { 200: answer('All of them verify, and count.', Proposal), ...refused },
  })
  registry.registerPath({
    method: 'post',
    path: '/v1/proposals/{proposal}/cancel',
    summary: 'Give a proposal up',
    security,
    request: { params: one },
    responses: { 200: answer('Nobody can sign or send it here any more.', Proposal), ...refused },
  })
  registry.registerPath({
    method: 'post',
    path: '/v1/proposals/{proposal}/execute',
    summary: 'Send it to the network, once',
    description: 'Takes `submit:<key>` for every key. Whoever comes later gets the same answer.',
    security,
    request: { params: one },
    responses: {
      200: answer('It is in a ledger.', Proposal),
      202: answer('It is on its way.', Proposal),
      ...refusals({ ...GONE, ...NODE, 422: 'the network will not run it' }),
    },
  })
}
