import { z } from '@hono/zod-openapi'
import { json, type Registry, security, type Words } from './registry.ts'

/** JSON-RPC and the part of Web3Signer's REST that is spoken. */
export function describeRpc(registry: Registry, { answer, refusals }: Words): void {
  const Call = z.strictObject({
    jsonrpc: z.literal('2.0'),
    id: z.union([z.string(), z.number(), z.null()]).optional(),
    method: z.enum([
      'eth_accounts',
      'eth_chainId',
      'eth_requestAccounts',
      'eth_sign',
      'eth_signTransaction',
      'eth_signTypedData',
      'eth_signTypedData_v4',
      'health_status',
      'net_version',
      'personal_sign',
      'web3_clientVersion',
    ]),
    params: z.array(z.unknown()).optional(),
  })
  const Reply = z.looseObject({ jsonrpc: z.literal('2.0'), id: z.union([z.string(), z.number(), z.null()]) })
  registry.registerPath({
    method: 'post',
    path: '/rpc',
    summary: 'JSON-RPC 2.0 for EVM keys',
    description:
      'A call, or up to 20 of them. Without an Idempotency-Key the same transaction asked for again gives the same answer. A refusal by policy is 4001, one by the token 4100, bad parameters -32602; `error.data` is the problem.',
    security,
    request: {
      headers: z.object({ 'Idempotency-Key': z.string().optional() }),
      body: { required: true, ...json(z.union([Call, z.array(Call).max(20)])) },
    },
    responses: {
      200: answer('Results and errors of JSON-RPC.', z.union([Reply, z.array(Reply)])),
      204: { description: 'Notifications alone: there is nothing to say.' },
      ...refusals({ 413: 'too large', 415: 'not JSON' }),
    },
  })
  registry.registerPath({
    method: 'get',
    path: '/api/v1/eth1/publicKeys',
    summary: 'Public keys that the token may have sign (Web3Signer)',
    security,
    responses: {
      200: answer('64 bytes each, 0x hex.', z.array(z.string())),
      ...refusals({}),
    },
  })
  registry.registerPath({
    method: 'post',
    path: '/api/v1/eth1/sign/{identifier}',
    summary: 'Sign data (Web3Signer), which is read before it is signed',
    description:
      'An unsigned transaction is judged as one, an EIP-191 message as a message; anything else takes a policy that grants raw digests.',
    security,
    request: {
      params: z.object({ identifier: z.string().openapi({ description: 'The public key in hex.' }) }),
      body: { required: true, ...json(z.strictObject({ data: z.string() })) },
    },
    responses: {
      200: { description: 'r‖s‖v, 0x hex.', content: { 'text/plain': { schema: z.string() } } },
      ...refusals({ 413: 'too large', 415: 'not JSON' }),
    },
  })
  registry.registerPath({
    method: 'get',
    path: '/upcheck',
    summary: 'Is the process alive (Web3Signer)',
    responses: { 200: { description: 'OK', content: { 'text/plain': { schema: z.string() } } } },
  })
}
