import { PUBLIC_URL } from '../rig/gateway.ts'
import type { RemoteService } from '../rig/orders.ts'
import { type Ask, asks, signed, signUrl, verifiesPayments } from '../subjects/service.ts'
import type { Subject } from '../subjects/subject.ts'
import type { Prover } from './proofs.ts'
import type { Variant } from './variants.ts'

/** Signs what was made ready before, one request each. */
export interface ReadySubject extends Pick<Subject, 'sign' | 'verify'> {
  /** So many requests, with their proofs: a client makes them at its own cost, and they are fresh for 15 seconds. */
  ready(requests: number): Promise<void>
}

/** One caller as the variant has it. */
export async function variantSubject(
  service: Pick<RemoteService, 'gateway' | 'grant'>,
  { setup, constrained, proven }: Variant,
  key: string,
  prover: Prover,
): Promise<ReadySubject> {
  const place = (await service.gateway())[setup]
  const bound = proven ? { thumbprint: prover.thumbprint } : {}
  const token = await service.grant({ setup, constrained, ...bound })
  const url = signUrl(place, key)
  const known = signUrl({ url: PUBLIC_URL }, key)
  const ask = asks()
  const prepared: Ask[] = []
  const one = async (): Promise<Ask> => {
    const { payment, headers } = ask()
    if (!proven) return { payment, headers: { ...headers, authorization: `Bearer ${token}` } }
    const idempotencyKey = headers['idempotency-key'] ?? ''
    const dpop = await prover.prove({ token, url: known, body: payment.body, idempotencyKey })
    return { payment, headers: { ...headers, authorization: `DPoP ${token}`, dpop } }
  }
  return {
    async ready(requests) {
      prepared.length = 0
      for (let made = 0; made < requests; made++) prepared.push(await one())
    },
    async sign() {
      const next = prepared.pop()
      if (next === undefined) throw new Error('no request was made ready')
      return signed(url, next)
    },
    verify: verifiesPayments(place.addresses[key]),
  }
}
