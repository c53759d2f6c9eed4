import { test } from 'node:test'
import assert from 'node:assert/strict'
import { openRig } from '../../support/rig.ts'
test('x', async () => {
  const rig = await openRig({log:'memory'})
  const r = await rig.sign()
  console.log(r.status, await r.json())
  for (const x of await rig.records()) console.log(x)
  const t=performance.now(); for (let i=0;i<200;i++) await (await rig.sign()).text(); console.log((performance.now()-t)/200,'ms')
  const t2=performance.now(); for (let i=0;i<200;i++) await (await rig.sign({body:'{"type":"stellar-transaction","xdr":"AAAA"}'})).text(); console.log((performance.now()-t2)/200,'ms')
})
