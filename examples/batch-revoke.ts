/**
 * Takes unvested amounts back from several vesting vaults in one transaction, by a template of the service:
 *
 *   bun examples/batch-revoke.ts VAULT,BENEFICIARY,AMOUNT,SIGNER…
 *
 * Reads COUNTERSIGN_URL and COUNTERSIGN_TOKEN. The service builds and simulates the call, has every vault's signer
 * authorize its part, signs, submits, and waits for the ledger. The same revocations are made once, however often this
 * runs within a day: that is how long the service knows an Idempotency-Key.
 */
import { createHash } from 'node:crypto'
import { createCountersign } from 'countersign/client'

const { COUNTERSIGN_URL: url = '', COUNTERSIGN_TOKEN: token = '' } = process.env
const revocations = process.argv.slice(2).map(text => {
  const [vault, beneficiary, amount, signer] = text.split(',')
  return { vault, beneficiary, amount, signer }
})

const countersign = createCountersign({ url, token })
const prepared = await countersign.prepare('batch-revoke', { revocations })
console.error(prepared.summary)
const idempotencyKey = createHash('sha256').update(JSON.stringify(revocations)).digest('hex')
const { hash, status, value } = await countersign.execute('batch-revoke', { revocations }, { idempotencyKey })
console.log(hash, status, JSON.stringify(value))
