/** Opens a key over gRPC in a process where Google's client logs all it can. Arguments: URL, wrapping key, `ours` or `theirs`. */
import { KeyManagementServiceClient } from '@google-cloud/kms'
import { credentials } from '@grpc/grpc-js'
import { create } from '../../providers/gcp-kms/index.ts'
import { call, providerWorld } from './provider-world.ts'

const [endpoint = '', wrappingKey = '', whose = ''] = process.argv.slice(2)
const ciphertext = new Uint8Array(100).fill(7)
if (whose === 'ours') {
  const provider = await create({ kind: 'gcp-kms', transport: 'grpc', endpoint }, providerWorld())
  const { plaintext } = await provider.unwrap(wrappingKey, ciphertext, { pubkey: 'GABC' }, call())
  plaintext.wipe()
} else {
  const { hostname, port } = new URL(endpoint)
  const options = { apiEndpoint: hostname, port: Number(port), sslCreds: credentials.createInsecure() }
  const client = new KeyManagementServiceClient({
    ...options,
    auth: { getUniverseDomain: async () => 'googleapis.com' },
  } as never)
  await client.decrypt({ name: wrappingKey, ciphertext })
}
console.log('done')
process.exit(0)
