/** What key services hold before a provider can make its first key in them. */

/** Where the keys of tests are at Google. */
export const PLACE = { project: 'payments', location: 'europe-west3', keyRing: 'signing' } as const

export async function makeKeyRing(gcpRest: string, place: Readonly<Record<keyof typeof PLACE, string>>): Promise<void> {
  const { project, location, keyRing } = place
  const ring = `${gcpRest}/v1/projects/${project}/locations/${location}/keyRings?keyRingId=${keyRing}`
  const made = await fetch(ring, { method: 'POST' })
  if (!made.ok) throw new Error(`no key ring: ${await made.text()}`)
}

/** As a fresh server needs it; one that has it says 400, which is as good. */
export const mountTransit = (address: string, token: string): Promise<Response> =>
  fetch(`${address}/v1/sys/mounts/transit`, {
    method: 'POST',
    headers: { 'x-vault-token': token, 'content-type': 'application/json' },
    body: '{"type":"transit"}',
  })
