import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InMemoryProvider } from '@openfeature/server-sdk'
import { ofrepProvider } from '../../../src/compose/ofrep.ts'
import { askOpenFeature } from '../../../src/compose/openfeature.ts'
import { createRemoteFlags } from '../../../src/routing/index.ts'
import { memoryJournal, steppingClock, turns } from '../routing/world.ts'

const FLAG = 'countersign-route'
const CONTEXT = { environment: 'staging', key: 'treasury', caller: 'web' }

test('M-10 any OpenFeature provider: the flag is an object, and rules of the provider see environment, key and caller', async () => {
  const seen: unknown[] = []
  const provider = new InMemoryProvider({
    [FLAG]: {
      disabled: false,
      defaultVariant: 'off',
      variants: { off: { mode: 'off' }, on: { mode: 'on', target: 'aws-kms' }, broken: { mode: 'on' } },
      contextEvaluator: context => {
        seen.push(context)
        return context['caller'] === 'web' ? 'on' : context['caller'] === 'broken' ? 'broken' : 'off'
      },
    },
  })
  const ask = await askOpenFeature(provider, FLAG)
  await turns()
  assert.deepEqual(await ask(CONTEXT), { mode: 'on', target: 'aws-kms' })
  assert.deepEqual(await ask({ ...CONTEXT, caller: 'batch' }), { mode: 'off' })
  assert.deepEqual(seen[0], { ...CONTEXT, targetingKey: 'web' })

  const clock = steppingClock()
  const journal = memoryJournal()
  const flags = createRemoteFlags({ clock, ask, journal, problems: async () => [] })
  assert.deepEqual((await flags.evaluate(CONTEXT)).flag, { mode: 'on', target: 'aws-kms' })
  assert.deepEqual((await flags.evaluate({ ...CONTEXT, caller: 'broken' })).flag, { mode: 'off' })
  assert.equal(journal.troubles.length, 1)

  await provider.putConfiguration({})
  clock.advance(1_000)
  assert.deepEqual((await flags.evaluate(CONTEXT)).flag, { mode: 'on', target: 'aws-kms' }, 'the last good value')
  await assert.rejects(ask(CONTEXT), /FLAG_NOT_FOUND/)
})

test('M-10 OFREP: one POST a flag, and every odd answer is an error that leaves the last good value', async () => {
  const requests: { url: string; body: unknown }[] = []
  const answers: (() => Promise<Response>)[] = []
  const provider = ofrepProvider({
    url: 'https://flags.example/',
    fetch: async (url, init) => {
      requests.push({ url, body: JSON.parse(init.body as string) })
      return (answers.shift() ?? assert.fail())()
    },
  })
  const ask = await askOpenFeature(provider, FLAG)
  await turns()
  answers.push(async () => Response.json({ key: FLAG, value: { mode: 'on', target: 'vault' }, variant: 'on' }))
  assert.deepEqual(await ask(CONTEXT), { mode: 'on', target: 'vault' })
  assert.deepEqual(requests[0], {
    url: `https://flags.example/ofrep/v1/evaluate/flags/${FLAG}`,
    body: { context: { ...CONTEXT, targetingKey: 'web' } },
  })
  const bad: [() => Promise<Response>, RegExp][] = [
    [async () => new Response('', { status: 404 }), /FLAG_NOT_FOUND/],
    [async () => new Response('', { status: 500 }), /answered 500/],
    [async () => new Response('{'), /not JSON/],
    [async () => Response.json({}), /no value/],
    [async () => new Response('x'.repeat(70_000)), /too long/],
    [() => Promise.reject(new Error('connection refused')), /connection refused/],
  ]
  for (const [answer, said] of bad) {
    answers.push(answer)
    await assert.rejects(ask(CONTEXT), said)
  }
})
