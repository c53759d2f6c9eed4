import { KMSClient, SignCommand } from '@aws-sdk/client-kms'
import { nextSequence, xdrOf } from './subjects/payments.ts'
import type { Rig } from './main.ts'

export interface Case {
  readonly name: string
  /** Name of the key that signs. */
  readonly key: string
  /** The case this one is compared with. */
  readonly baseline: string | undefined
  run(): Promise<unknown>
  signature(): Promise<Uint8Array>
  close(): void
}

const SDK = 'AWS SDK, Sign'

/** The vendor's SDK alone, as an application without a signer would call it. */
async function sdk(rig: Rig): Promise<Case> {
  const client = new KMSClient({
    endpoint: rig.kms,
    region: 'us-east-1',
    credentials: { accessKeyId: 'bench', secretAccessKey: 'bench' },
  })
  const sign = () =>
    client.send(
      new SignCommand({ KeyId: rig.keyId, Message: rig.hash, MessageType: 'RAW', SigningAlgorithm: 'ED25519_SHA_512' }),
    )
  return {
    name: SDK,
    key: 'demo-stellar',
    baseline: undefined,
    run: sign,
    signature: async () => (await sign()).Signature ?? new Uint8Array(),
    close: () => client.destroy(),
  }
}

/** Through the signer: token, policy, two durable records, verification, over HTTP. */
function signer(name: string, key: string) {
  return async (rig: Rig): Promise<Case> => {
    let count = 0
    const sign = async (xdr: string) => {
      const response = await fetch(`${rig.service}/v1/keys/${key}/sign`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${rig.token}`,
          'content-type': 'application/json',
          'idempotency-key': `bench-${key}-${performance.timeOrigin}-${count++}`,
        },
        body: JSON.stringify({ type: 'stellar-transaction', xdr }),
      })
      const answer = (await response.json()) as { signature?: string; code?: string }
      if (answer.signature === undefined) throw new Error(`${name} was refused: ${answer.code ?? response.status}`)
      return answer.signature
    }
    return {
      name,
      key,
      baseline: SDK,
      // Each takes a place of its own on the chain; only the one that is verified is the rig's.
      run: () => sign(xdrOf(nextSequence())),
      signature: async () => Uint8Array.from(atob(await sign(rig.xdr)), c => c.charCodeAt(0)),
      close: () => {},
    }
  }
}

export const CASES: readonly ((rig: Rig) => Promise<Case>)[] = [
  sdk,
  signer('countersign, native', 'demo-stellar'),
  signer('countersign, decrypt', 'demo-stellar-decrypt'),
]
