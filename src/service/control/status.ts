import type { Done } from './guard.ts'
import type { ControlParts } from './ports.ts'

/** What an operator looks at first. */
export async function showStatus(parts: ControlParts): Promise<Done> {
  const { about, keys, admins, readiness, newestSeq, world } = parts
  const [checks, all, people, lastSeq] = await Promise.all([readiness(), keys.list(), admins.list(), newestSeq()])
  const states: Record<string, number> = {}
  for (const { version } of all) states[version.state] = (states[version.state] ?? 0) + 1
  return {
    answer: {
      ...about,
      time: new Date(world.clock.now()).toISOString(),
      ready: checks.every(({ ok }) => ok),
      checks,
      audit: { lastSeq },
      versions: states,
      admins: { all: people.length, active: people.filter(({ active }) => active).length },
    },
  }
}
