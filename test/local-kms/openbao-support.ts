import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The binary named by COUNTERSIGN_BAO, else `bao` on the path. Undefined: there is none. */
export function findBao(): string | undefined {
  const named = process.env['COUNTERSIGN_BAO']
  const candidate = named === undefined || named === '' ? 'bao' : named
  return spawnSync(candidate, ['version'], { encoding: 'utf8' }).status === 0 ? candidate : undefined
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise<void>(resolve => server.close(() => resolve()))
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** A development server with the root token `root`. */
export async function startBao(binary: string): Promise<{ url: string; stop(): Promise<void> }> {
  const port = await freePort()
  const home = mkdtempSync(join(tmpdir(), 'local-kms-bao-'))
  const listen = `-dev-listen-address=127.0.0.1:${port}`
  const child = spawn(binary, ['server', '-dev', '-dev-root-token-id=root', '-dev-no-store-token', listen], {
    stdio: 'ignore',
    env: { PATH: process.env['PATH'] ?? '', HOME: home },
  })
  const ended = new Promise<void>(resolve => child.once('exit', () => resolve()))
  const url = `http://127.0.0.1:${port}`
  const stop = async (): Promise<void> => {
    child.kill()
    await ended
    rmSync(home, { recursive: true, force: true })
  }
  for (let attempt = 0; attempt < 100; attempt++) {
    try {
      if ((await fetch(`${url}/v1/sys/health`)).status === 200) return { url, stop }
    } catch {
      // not there yet
    }
    await new Promise(resolve => setTimeout(resolve, 100))
  }
  await stop()
  throw new Error('the OpenBao server did not come up')
}

export interface Exchange {
  readonly request: string
  readonly status: number
  /** JSON with what differs from run to run masked, or text. */
  readonly shape: string
}

/** Puts the lines to a server one after another, keeping what they say to keep. */
export async function play(url: string, lines: readonly string[]): Promise<Exchange[]> {
  const kept: Record<string, string> = {}
  const out: Exchange[] = []
  for (const line of lines) {
    const filled = line.replaceAll(/<(\w+)>/g, (_, name: string) => kept[name] ?? `<${name}>`)
    const parts = /^(\w+) (\S+)(?: (\{.*\}|\[.*\]|'.*'))?((?: [@^>]\S+)*)$/.exec(filled)
    if (parts === null) throw new Error(`Cannot read the request line: ${line}`)
    const [, method, path, body, rest] = parts
    const headers: Record<string, string> = { 'x-vault-token': 'root' }
    const keeps: [string, string][] = []
    for (const mark of (rest ?? '').trim().split(' ').filter(Boolean)) {
      const value = mark.slice(1)
      if (mark === '@none') delete headers['x-vault-token']
      else if (mark.startsWith('@')) headers['x-vault-token'] = kept[value] ?? value
      else if (mark.startsWith('^')) headers['x-vault-namespace'] = value
      else keeps.push([value.split('=')[0]!, value.slice(value.indexOf('=') + 1)])
    }
    const target = `${url}/v1/${path === "''" ? '' : path}`
    const sent = body?.startsWith("'") ? body.slice(1, -1) : body
    const response = await fetch(target, { method: method!, headers, ...(sent === undefined ? {} : { body: sent }) })
    const text = await response.text()
    let json: unknown
    try {
      json = JSON.parse(text)
    } catch {
      json = undefined
    }
    for (const [name, where] of keeps) {
      const found = where.split('.').reduce<unknown>((value, key) => (value as Record<string, unknown>)?.[key], json)
      if (typeof found === 'string') kept[name] = found
    }
    out.push({
      request: line,
      status: response.status,
      shape: json === undefined ? text.trim() : JSON.stringify(masked(json)),
    })
  }
  return out
}

/** Members whose texts no two servers have alike. */
const RANDOM = new Set([
  'request_id',
  'client_token',
  'accessor',
  'entity_id',
  'id',
  'uuid',
  'token',
  'secret_id',
  'secret_id_accessor',
  'role_id',
  'backup',
  'random_bytes',
  'plaintext',
  'public_key',
  'signature',
  'ciphertext',
  'hmac',
  'cluster_id',
  'cluster_name',
  'pem_keys',
])

/** Sorted members; random texts by kind and length, times and whole seconds of life rounded away. */
function masked(value: unknown, name = ''): unknown {
  if (Array.isArray(value)) return value.map(each => masked(each, name))
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).filter(([member]) => member !== 'secret/')
    return Object.fromEntries(
      members
        .map(([member, each]): [string, unknown] => [mask(member), masked(each, member)])
        .toSorted(([a], [b]) => (a < b ? -1 : 1)),
    )
  }
  if (typeof value === 'number') {
    if (value > 1_600_000_000) return 'epoch'
    return name === 'ttl' || name === 'lease_duration' ? Math.round(value / 10) * 10 : value
  }
  if (typeof value !== 'string' || value === '') return value
  if (/^\d{4}-\d\d-\d\dT/.test(value)) return value.startsWith('0001') ? value : 'time'
  const prefix = /^vault:v\d+:/.exec(value)?.[0]
  if (prefix !== undefined) return `${prefix}…`
  return RANDOM.has(name) ? kindOf(value) : mask(value)
}

const kindOf = (text: string): string =>
  text.startsWith('-----BEGIN')
    ? `${text.split('\n')[0]}${text.endsWith('\n') ? '⏎' : ''}`
    : `${/^[sb]\./.exec(text)?.[0] ?? ''}…`

/** Keys and ids that stand where one does not expect them: as members, in lists, in export maps. */
function mask(text: string): string {
  if (/^[0-9a-f]{8}-[0-9a-f]{4}-/.test(text)) return 'uuid'
  if (text.startsWith('-----BEGIN')) return kindOf(text)
  if (/^[A-Za-z0-9]{24}(?:\.[A-Za-z0-9]{6})?$/.test(text)) return 'accessor'
  if (/^[A-Za-z0-9+/]{40,}={0,2}$/.test(text) && !/^[0-9a-f]+$/.test(text)) return `base64 of ${text.length}`
  return /^(?:auth_)?[a-z_]+_[0-9a-f]{8}$/.test(text) ? text.slice(0, -8) : text
}
