import { StrKey } from '@stellar/stellar-sdk/base'
import type { RemoteService } from '../rig/orders.ts'
import { PAYMENT, type Subject, verifies } from './subject.ts'

const BODY = JSON.stringify(PAYMENT)
const RENEW_MS = 10 * 60_000

/** Through the signer: token, policy, two durable records, verification, over HTTP. */
export async function serviceSubject(
  service: Pick<RemoteService, 'url' | 'addresses' | 'token'>,
  key: string,
): Promise<Subject> {
  const url = `${service.url}/v1/keys/${key}/sign`
  const run = crypto.randomUUID()
  let count = 0
  let token = await service.token()
  let renewAt = performance.now() + RENEW_MS
  const fresh = async (): Promise<void> => {
    renewAt = performance.now() + RENEW_MS
    token = await service.token()
  }
  return {
    async sign() {
      if (performance.now() > renewAt) await fresh()
      const headers = {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        'idempotency-key': `bench-${run}-${count++}`,
      }
      const response = await fetch(url, { method: 'POST', headers, body: BODY })
      const answer = (await response.json()) as { signature?: string; code?: string }
      if (answer.signature === undefined) throw new Error(answer.code ?? `HTTP ${response.status}`)
      return answer.signature
    },
    verify: verifies(new Uint8Array(StrKey.decodeEd25519PublicKey(service.addresses[key] ?? ''))),
    close: () => {},
  }
}
