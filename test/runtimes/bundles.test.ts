/** M-14: what the providers weigh on the edge, and what is not in there. The budget of the core stands in `test/binary`. */
import { expect, test } from 'bun:test'
import { bundleForEdge } from './bundle.ts'

/** Their own libraries where those run on the edge; the budgets are what they weigh today, and some more. */
const PROVIDERS = [
  { name: 'aws-kms', gzipMax: 130, sdk: /^@(aws-sdk|smithy)\// },
  { name: 'vault-transit', gzipMax: 42 },
  { name: 'gcp-kms', gzipMax: 72 },
] as const

/** Clients that need sockets, files or processes. */
const NOT_ON_THE_EDGE =
  /^(@google-cloud\/|google-|gaxios|gcp-metadata|gtoken|@grpc\/|protobufjs|node-vault|axios|mustache|tv4|postman-request|libsodium|@aws-sdk\/(client-sts|nested-clients|credential-provider|token-providers)|pino|kysely)/

test.each(PROVIDERS)(
  '$name on the edge: small, and only what runs there',
  async ({ name, gzipMax, ...rest }) => {
    const bundle = await bundleForEdge(`providers/${name}/edge.ts`, true)
    const { bytes, gzipBytes, packages, builtins } = bundle
    console.log(`# edge, ${name}: ${kb(bytes)} KB, ${kb(gzipBytes)} KB gzip; ${packages.join(', ')}`)
    expect(packages.filter(each => NOT_ON_THE_EDGE.test(each))).toEqual([])
    // The SDK of one vendor is in that vendor's provider only.
    const sdk = 'sdk' in rest ? rest.sdk : /^@smithy\/util-utf8$/
    expect(packages.filter(each => /^@(aws-sdk|smithy)\//.test(each) && !sdk.test(each))).toEqual([])
    expect(builtins).toEqual([])
    expect(gzipBytes).toBeLessThanOrEqual(gzipMax * 1024)
  },
  60_000,
)

test('all three with the whole path: nothing in it that needs more than fetch', async () => {
  const { bytes, gzipBytes, packages, builtins } = await bundleForEdge('test/runtimes/runners/worker-services.ts', true)
  console.log(`# edge, the path and three providers: ${kb(bytes)} KB, ${kb(gzipBytes)} KB gzip`)
  expect(packages.filter(each => NOT_ON_THE_EDGE.test(each))).toEqual([])
  // The faster verifier of Ed25519, which is done without where it is not there.
  expect(builtins).toEqual(['node:crypto'])
}, 60_000)

const kb = (bytes: number): string => (bytes / 1024).toFixed(1)
