import { z } from '@hono/zod-openapi'
import { base64, json, type Registry, security, type Words } from './registry.ts'

const MORE = {
  413: 'too large',
  415: 'not JSON',
  422: 'the network will not run it, or the Idempotency-Key is of another request',
  502: 'the network answered wrongly',
  503: 'the network does not answer, or the service is overloaded',
}
const stroops = (description: string) => z.string().openapi({ description: `Stroops, decimal. ${description}` })

/** Transactions that are built, signed and sent here. */
export function describeTransactions(registry: Registry, { answer, refusals }: Words): void {
  const Wish = registry.register(
    'TemplateCall',
    z.strictObject({
      template: z
        .string()
        .openapi({ description: 'Name of a template of the configuration.', example: 'batch-revoke' }),
      arguments: z.record(z.string(), z.unknown()).openapi({
        description:
          'A value for each argument that the template leaves open: numbers as decimal text or whole numbers, addresses as strkeys, bytes in lower-case hex, lists, and objects for structs.',
      }),
    }),
  )
  const Built = z.strictObject({
    xdr: base64('TransactionEnvelope (V1 or fee-bump).'),
    keys: z.array(z.string()).min(1).max(20).openapi({ description: 'Who signs it, each once.' }),
  })
  const Prepared = registry.register(
    'PreparedTransaction',
    z.strictObject({
      template: z.string(),
      network: z.string(),
      hash: z
        .string()
        .openapi({ description: 'Hex. Where authorizations are signed first, another one is submitted.' }),
      xdr: base64('The envelope without signatures.'),
      summary: z.string(),
      sentences: z.array(z.string()),
      fee: z.strictObject({
        inclusion: stroops('Offered for inclusion.'),
        resource: stroops('For resources, as the simulation says.'),
        total: stroops('The most that is charged.'),
      }),
      keys: z.array(
        z.strictObject({
          key: z.string(),
          address: z.string(),
          account: z.string().openapi({ description: 'What the key signs for.' }),
          role: z.enum(['source', 'fee-source', 'authorization']),
          decision: z.enum(['allow', 'deny', 'undecided']).openapi({ description: 'Of its policy, as things stand.' }),
          rule: z.string().optional(),
          reason: z.string().optional(),
        }),
      ),
      expires: z.string().openapi({ description: 'ISO 8601; afterwards it can never run.' }),
      simulated: z.unknown().optional().openapi({ description: 'What the call returned in the simulation (SEP-51).' }),
    }),
  )
  const Told = registry.register(
    'Transaction',
    z.strictObject({
      hash: z.string().openapi({ description: 'Hex: what was signed, submitted, and is on the network.' }),
      network: z.string(),
      status: z.enum(['pending', 'success', 'failed']),
      ledger: z.int().optional(),
      result: base64('What the contract returned (SCVal).').optional(),
      value: z.unknown().optional().openapi({ description: 'The same as JSON (SEP-51).' }),
      code: z.string().optional().openapi({ description: 'Of a transaction that failed in its ledger.' }),
      template: z.string().optional(),
      keys: z.array(z.string()),
    }),
  )
  const settled = {
    200: answer('In a ledger; `status` says how it ended.', Told),
    202: answer('On its way; ask again for its hash.', Told),
  }
  registry.registerPath({
    method: 'post',
    path: '/v1/transactions/prepare',
    summary: 'Build and simulate a contract call of a template',
    description: 'A dry run: nothing is signed or kept. Takes the scope `explain:<key>` of every key that would sign.',
    security,
    request: { body: { required: true, ...json(Wish) } },
    responses: { 200: answer('What would be signed, by whom, for how much.', Prepared), ...refusals(MORE) },
  })
  registry.registerPath({
    method: 'post',
    path: '/v1/transactions/execute',
    summary: 'Build, sign with every key, submit, wait',
    description:
      'One transaction for each Idempotency-Key, wherever a request breaks off: sent again, it goes on with the same one. Every signature is judged by the policy of its key. Takes the scopes `sign:<key>` of all of them and `submit:<key>` of the source.',
    security,
    request: {
      headers: z.object({ 'Idempotency-Key': z.string() }),
      body: { required: true, ...json(z.union([Wish, Built])) },
    },
    responses: { ...settled, ...refusals({ ...MORE, 409: 'the same request is under way' }) },
  })
  registry.registerPath({
    method: 'post',
    path: '/v1/transactions/submit',
    summary: 'Submit an envelope that a key has signed',
    description: 'The key signed it, and its account is the source or pays. Takes the scope `submit:<key>`.',
    security,
    request: {
      body: { required: true, ...json(z.strictObject({ key: z.string(), xdr: base64('TransactionEnvelope.') })) },
    },
    responses: { ...settled, ...refusals({ ...MORE, 409: 'the same envelope is being submitted' }) },
  })
  registry.registerPath({
    method: 'get',
    path: '/v1/transactions/{hash}',
    summary: 'What became of a transaction that was submitted here',
    description: 'Takes the scope `read:<key>` of its source.',
    security,
    request: { params: z.object({ hash: z.string().openapi({ description: '64 digits of lower-case hex.' }) }) },
    responses: { ...settled, ...refusals({ ...MORE, 404: 'none that was submitted here and the token may see' }) },
  })
}
