import { StrKey } from '@stellar/stellar-sdk/base'
import { fromBase64 } from '../../src/bytes/base64.ts'
import { verifySignature } from '../../src/bytes/verify.ts'
import type { RemoteService } from '../rig/orders.ts'
import { hashOf, nextPayment, type Payment } from './payments.ts'
import type { Subject } from './subject.ts'

const RENEW_MS = 10 * 60_000

/** What one signature is asked for with. */
export interface Ask {
  readonly payment: Payment
  readonly headers: Readonly<Record<string, string>>
}

export const signUrl = (service: Pick<RemoteService, 'url'>, key: string): string =>
  `${service.url}/v1/keys/${key}/sign`

/** @returns a maker of requests, each for another payment; who asks is for the caller to add. */
export function asks(): () => Ask {
  const run = crypto.randomUUID()
  let count = 0
  return () => ({
    payment: nextPayment(),
    headers: { 'content-type': 'application/json', 'idempotency-key': `bench-${run}-${count++}` },
  })
}

/** @returns the signature with the sequence number of what was signed. @throws with the code of the refusal */
export async function signed(url: string, { payment, headers }: Ask): Promise<string> {
  const response = await fetch(url, { method: 'POST', headers, body: payment.body })
  const answer = (await response.json()) as { signature?: string; code?: string }
  if (answer.signature === undefined) throw new Error(answer.code ?? `HTTP ${response.status}`)
  return `${payment.sequence} ${answer.signature}`
}

/** Of what `signed` gave. */
export function verifiesPayments(address: string | undefined): Subject['verify'] {
  const publicKey = new Uint8Array(StrKey.decodeEd25519PublicKey(address ?? ''))
  return text => {
    const [sequence = '', signature = ''] = text.split(' ')
    const input = { scheme: 'ed25519', message: hashOf(BigInt(sequence)) } as const
    return verifySignature(input, publicKey, fromBase64(signature) ?? new Uint8Array())
  }
}

/** Through the signer: token, policy, two durable records, verification, over HTTP. */
export async function serviceSubject(
  service: Pick<RemoteService, 'url' | 'addresses' | 'token'>,
  key: string,
): Promise<Subject> {
  const url = signUrl(service, key)
  const ask = asks()
  let token = await service.token()
  let renewAt = performance.now() + RENEW_MS
  const fresh = async (): Promise<void> => {
    renewAt = performance.now() + RENEW_MS
    token = await service.token()
  }
  return {
    async sign() {
      if (performance.now() > renewAt) await fresh()
      const { payment, headers } = ask()
      return signed(url, { payment, headers: { ...headers, authorization: `Bearer ${token}` } })
    },
    verify: verifiesPayments(service.addresses[key]),
    close: () => {},
  }
}
