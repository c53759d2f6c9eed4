import type { Face, FaceName, FaceWorld } from '../../local-kms/core/face.ts'
import { brokenReply, damageHttp } from '../../local-kms/core/damage.ts'
import { createHost, type Host, type HostOptions } from '../../local-kms/core/host.ts'
import { systemRandom } from '../../local-kms/core/random.ts'
import { systemClock } from '../../local-kms/core/clock.ts'

const text = (value: unknown) => new TextEncoder().encode(JSON.stringify(value))

/** The smallest service: `POST /add` counts up and answers `{"count","id"}`, anything else only tells the count. */
export class FakeFace implements Face {
  readonly name: FaceName
  readonly world: FaceWorld
  count = 0
  state = 'Enabled'
  closed = 0
  #calls: Record<string, number> = {}
  #trail: unknown[] = []
  #streams: FaceWorld['streams']

  constructor(name: FaceName, world: FaceWorld, kept?: unknown) {
    this.name = name
    this.world = world
    this.#streams = world.streams
    if (kept !== undefined) this.restore(kept)
    world.streams('ids').bytes(4) // what is drawn here must not shift what comes
  }

  async handle({ target }: { target: string }) {
    const operation = target.slice(1)
    this.#calls[operation] = (this.#calls[operation] ?? 0) + 1
    const faults = this.world.faults.match(operation, ['key'])
    const call = { operation, keys: ['key'], freshConnection: false, factor: 1 }
    await this.world.clock.sleep(this.world.latency().sample(call))
    for (const fault of faults) {
      const broken = brokenReply(fault)
      if (broken !== undefined) return broken
    }
    if (operation === 'add') {
      this.count += 1
      this.world.onChange()
    }
    const record = { operation, count: this.count }
    this.#trail.push(record)
    this.world.onAudit?.(this.name, record)
    const id = Buffer.from(this.#streams('ids').bytes(4)).toString('hex')
    const headers = { 'Content-Type': 'application/json', date: new Date(this.world.clock.now()).toUTCString() }
    return damageHttp({ status: 200, headers, body: text({ count: this.count, id }) }, faults, this.world.clock.now())
  }

  calls = () => ({ ...this.#calls })
  audit = () => [...this.#trail]
  reset(streams: FaceWorld['streams']) {
    this.#calls = {}
    this.#trail = []
    this.#streams = streams
  }
  snapshot = () => ({ count: this.count })
  restore(snapshot: unknown) {
    const { count } = snapshot as { count: unknown }
    if (typeof count !== 'number') throw new RangeError('no count')
    this.count = count
  }
  inspect = () => ({ count: this.count, state: this.state })
  setKeyState(key: string, state: string) {
    if (key !== `${this.name}-key`) return false
    if (state === 'Melted') throw new RangeError('no such state')
    this.state = state
    return true
  }
  async close() {
    this.closed += 1
  }
}

export const FAKE_FACES = ['aws', 'vault', 'gcp'] as const

/** A host of fake faces, without ports. */
export async function fakeHost(options: Partial<HostOptions> = {}): Promise<{
  host: Host
  made: Map<FaceName, FakeFace>
  call: (face: FaceName, operation: string) => Promise<Answer>
}> {
  const made = new Map<FaceName, FakeFace>()
  const host = await createHost(
    {
      faces: FAKE_FACES,
      clock: systemClock,
      masterSeed: undefined,
      entropy: systemRandom,
      latency: 'none',
      faults: [],
      persist: undefined,
      onAudit: undefined,
      ...options,
    },
    async (name, world, kept) => {
      const face = new FakeFace(name, world, kept)
      made.set(name, face)
      return face
    },
  )
  const call = async (face: FaceName, operation: string): Promise<Answer> => {
    const reply = await host.handler(face)({
      method: 'POST',
      target: `/${operation}`,
      headers: {},
      body: new Uint8Array(0),
      remoteAddress: '127.0.0.1',
      freshConnection: false,
    })
    const body = new TextDecoder().decode(reply.body)
    return {
      status: reply.status,
      wire: reply.wire?.kind,
      json: (body === '' ? {} : JSON.parse(body)) as Record<string, unknown>,
    }
  }
  return { host, made, call }
}

export interface Answer {
  readonly status: number
  readonly wire: string | undefined
  readonly json: Record<string, unknown>
}
