/** Run by host-embed.test.ts on each runtime: starts everything twice, uses every face, closes, and must then end by itself. */
import { Client, credentials } from '@grpc/grpc-js'
import { startLocalKms } from '../../../local-kms/index.ts'

const same = (bytes: Buffer): Buffer => bytes
const LIST = '/google.cloud.kms.v1.KeyManagementService/ListKeyRings'

/** The status of a gRPC call whose request is `parent`, field 1. */
function listKeyRings(address: string, parent: string): Promise<number> {
  const client = new Client(address, credentials.createInsecure())
  const request = Buffer.concat([Buffer.from([0x0a, parent.length]), Buffer.from(parent)])
  return new Promise(resolve => {
    client.makeUnaryRequest(LIST, same, same, request, { deadline: Date.now() + 10_000 }, error => {
      client.close()
      resolve(error === null ? 0 : error.code)
    })
  })
}

const get = async (url: string, headers: Record<string, string> = {}): Promise<number> => {
  const response = await fetch(url, { headers })
  await response.body?.cancel()
  return response.status
}

for (let round = 1; round <= 2; round++) {
  const kms = await startLocalKms()
  const parent = 'projects/p/locations/global'
  const statuses = [
    await get(`${kms.aws}/_local-kms/health`),
    await get(`${kms.vault}/v1/sys/mounts`, { 'X-Vault-Token': kms.vaultToken }),
    await get(`${kms.gcpRest}/v1/${parent}/keyRings`),
    await listKeyRings(kms.gcpGrpc, parent),
  ]
  await kms.close()
  console.log(`round ${round}: ${statuses.join(' ')}`)
}
