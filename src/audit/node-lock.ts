/**
 * The writer's lock: files `LOCK.<generation>`, made whole in one step (a hard link), the highest one counts. The lock of a
 * process that is gone is overtaken by the next generation, so two that notice it at the same time cannot both win.
 */
import { link, open, readdir, readFile, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { SignerError } from '../domain/errors.ts'

interface Owner {
  readonly pid: number
  /** Tells two boots apart, in which process ids repeat. Linux only, else empty. */
  readonly boot: string
  /** Clock ticks since boot at which the process started: tells it from a later one with its id. Linux only, else empty. */
  readonly started: string
  readonly nonce: string
}

/** What this process holds: the same process id in a restarted container is not us. */
const held = new Set<string>()

const PREFIX = 'LOCK.'

/** @throws `start/refused` naming the process that holds it */
export async function takeLock(directory: string): Promise<() => Promise<void>> {
  const nonce = Array.from(crypto.getRandomValues(new Uint8Array(8)), byte => byte.toString(16).padStart(2, '0')).join(
    '',
  )
  const owner: Owner = { pid: process.pid, boot: await bootId(), started: await startOf(process.pid), nonce }
  const before = await locks(directory)
  await refuseIfLive(directory, before, owner)
  const generation = Math.max(0, ...before.map(generationOf)) + 1
  const name = `${PREFIX}${String(generation).padStart(8, '0')}`
  const draft = join(directory, `draft-lock.${nonce}`)
  held.add(nonce)
  try {
    const handle = await open(draft, 'wx', 0o600)
    await handle.writeFile(JSON.stringify(owner))
    await handle.close()
    await link(draft, join(directory, name)).catch((cause: unknown) => {
      throw inUse(directory, 'another process took it at the same moment', cause)
    })
    await unlink(draft)
    // Whoever made a lock since the first look sees ours now, or we see theirs: at most one goes on.
    const others = (await locks(directory)).filter(other => other !== name)
    try {
      await refuseIfLive(directory, others, owner)
    } catch (error) {
      await unlink(join(directory, name))
      throw error
    }
    for (const stale of others) await unlink(join(directory, stale)).catch(() => {})
  } catch (error) {
    held.delete(nonce)
    await unlink(draft).catch(() => {})
    throw error
  }
  return async () => {
    if (held.delete(nonce)) await unlink(join(directory, name)).catch(() => {})
  }
}

const locks = async (directory: string): Promise<string[]> =>
  (await readdir(directory)).filter(name => name.startsWith(PREFIX))

const generationOf = (name: string): number => {
  const generation = Number(name.slice(PREFIX.length))
  return Number.isSafeInteger(generation) ? generation : 0
}

async function refuseIfLive(directory: string, names: readonly string[], self: Owner): Promise<void> {
  for (const name of names) {
    const owner = await readOwner(join(directory, name))
    if (owner !== undefined && (await isLive(owner, self)))
      throw inUse(directory, `process ${owner.pid} writes it (${name})`)
  }
}

/** Undefined: released meanwhile, or torn by a power cut, which its process did not survive either. */
async function readOwner(path: string): Promise<Owner | undefined> {
  try {
    const value = JSON.parse(await readFile(path, 'utf8')) as Owner
    return Number.isSafeInteger(value.pid) && value.pid > 0 ? value : undefined
  } catch {
    return undefined
  }
}

async function isLive(owner: Owner, self: Owner): Promise<boolean> {
  if (owner.boot !== self.boot && owner.boot !== '' && self.boot !== '') return false
  if (owner.pid === self.pid) return held.has(owner.nonce)
  try {
    process.kill(owner.pid, 0)
  } catch (error) {
    // Not ours to signal is alive too.
    if ((error as { code?: unknown }).code !== 'EPERM') return false
  }
  const started = await startOf(owner.pid)
  return started === '' || owner.started === '' || started === owner.started
}

const bootId = async (): Promise<string> =>
  (await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')).trim()

/**
 * Field 22 of /proc/PID/stat; the name in field 2 may hold spaces and parentheses. A zombie has ended and let go of its
 * files, but answers to signals until its parent looks: in many containers nobody ever does.
 */
async function startOf(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return fields[0] === 'Z' || fields[0] === 'X' ? 'ended' : (fields[19] ?? '')
}

const inUse = (directory: string, reason: string, cause?: unknown): SignerError =>
  new SignerError(
    'start/refused',
    {
      reason: `audit directory ${directory}: ${reason}`,
      fix: 'Stop that process first, or give this one a directory of its own.',
    },
    { cause },
  )
