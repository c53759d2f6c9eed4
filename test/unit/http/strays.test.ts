import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SignerError } from '../../../src/domain/errors.ts'
import { openControlRig } from '../../support/control-rig.ts'

test('M-46 a door that is not there is tried by the client, not by the proxy it came through; where nobody is let in, by the peer', async () => {
  const rig = openControlRig({
    parts: real => ({
      ...real,
      clientOf: ({ headers }) => {
        const client = headers.get('x-forwarded-for')
        if (client === null)
          throw new SignerError('request/malformed', { field: 'x-forwarded-for', reason: 'is missing', fix: 'send it' })
        return client
      },
    }),
  })
  const asked: Record<string, string>[] = [{ 'x-forwarded-for': '192.0.2.7' }, {}]
  for (const headers of asked) {
    const response = await rig.http('/v1/nothing', { headers })
    assert.equal(response.status, 404)
  }
  assert.deepEqual(
    rig.refusals.map(({ actor }) => actor?.peer),
    ['192.0.2.7', '127.0.0.1'],
  )
})
