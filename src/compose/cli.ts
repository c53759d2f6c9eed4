import { access, readFile } from 'node:fs/promises'
import type { LatencyName } from '../../local-kms/index.ts'
import type { AuditRoom, LocalKmsFlags, Running, Services } from '../cli/context.ts'
import type { Config } from '../config/schema.ts'
import { SignerError } from '../domain/errors.ts'
import type { AuditIndex, Logger, World } from '../domain/ports.ts'
import type { Runtime } from '../runtime/index.ts'
import { auditPath, LOCAL_OPERATOR, storePath } from './places.ts'

const DRAIN_MS = 10_000

/** What the command line offers, wired to the real parts. Each command loads only what it needs: `--version` loads nothing. */
export function createServices(runtime: Runtime, version: string, loggerAt: (level: string) => Logger): Services {
  const world = runtime.world()
  const environment = runtime.environment()
  const loadConfig: Services['loadConfig'] = async ({ file, flags }) => {
    const config = await import('../config/load.ts')
    return config.loadConfig({ ...(file === undefined ? {} : { file }), env: environment, flags, readFile: readText })
  }
  const addresses = async () => (await import('./keys.ts')).createAddresses(world)
  return {
    version: () => version,
    loadConfig,
    serve: async (config, { requireHardening }) => {
      const logger = loggerAt(config.log.level)
      await refuseUnsafe(config, environment, logger)
      harden(runtime, logger, requireHardening)
      const [{ startService }, { serviceSettings }] = await Promise.all([import('./service.ts'), import('./settings.ts')])
      const service = await startService(serviceSettings(config, world), runtime, logger)
      return running({ ready: true, dataUrl: service.url }, () => service.stop(DRAIN_MS))
    },
    dev: async options => {
      const { checkStart } = await import('../config/start-guard.ts')
      for (const { path, problem } of checkStart({ env: environment, command: 'dev' }).warnings) {
        options.say(`warning: ${path} ${problem}`)
      }
      const logger = loggerAt('warn')
      harden(runtime, logger, false)
      return (await import('./dev.ts')).startDev(options, runtime, logger)
    },
    localKms: startLocalKmsAlone,
    openKeys: async config => {
      const [{ openKeyRoom }, { roomSettings }] = await Promise.all([import('./keys.ts'), import('./settings.ts')])
      return openKeyRoom(roomSettings(config), world)
    },
    audit: directory => auditRoom(directory, world),
    checkConfig: async file => {
      const config = await loadConfig({ flags: {}, ...(file === undefined ? {} : { file }) })
      const { checkStart } = await import('../config/start-guard.ts')
      const { refusals, warnings } = checkStart({ config, env: environment, command: 'serve' })
      if (refusals.length > 0) throw new SignerError('config/invalid', { problems: refusals })
      return { environment: config.environment, warnings }
    },
    configSchema: async () => (await import('../config/describe.ts')).configJsonSchema(),
    addresses: {
      ofPublicKey: async text => (await addresses()).ofPublicKey(text),
      ofSeed: async file => (await addresses()).ofSeed(file),
      generate: async () => (await addresses()).generate(),
    },
    bench: async options => (await import('./bench.ts')).bench(options, runtime, version),
  }
}

function running(ready: Running['ready'], close: () => Promise<void>): Running {
  const { promise: done, resolve, reject } = Promise.withResolvers<void>()
  let stopping = false
  return {
    ready,
    done,
    stop: () => {
      if (!stopping) {
        stopping = true
        close().then(resolve, reject)
      }
      return done
    },
  }
}

async function startLocalKmsAlone(flags: LocalKmsFlags): Promise<Running> {
  const { startLocalKms } = await import('../../local-kms/index.ts')
  const { port, seedFile, sigv4, persist } = flags
  const latency = flags.latency as LatencyName | undefined // checked by local-kms, which names the profiles there are
  try {
    const kms = await startLocalKms({ port, seedFile, latency, sigv4, persist })
    return running({ ready: true, aws: kms.aws }, () => kms.close())
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new SignerError('request/malformed', { field: 'local-kms', reason: error.message, fix: 'see local-kms/README.md' }, { cause: error })
  }
}

/** Reads the log as it lies on disk, beside a running service or without one. */
function auditRoom(directory: string, world: World): AuditRoom {
  const files = async (access: 'read' | 'write') =>
    (await import('../audit/node-files.ts')).nodeAuditFiles(auditPath(directory), { access })
  return {
    verify: async onProgress => {
      const { verifyAuditLog } = await import('../audit/verify.ts')
      const head = await rememberedHead(directory, world)
      return verifyAuditLog(await files('read'), {
        ...(head === undefined ? {} : { head }),
        ...(onProgress === undefined ? {} : { onProgress: ({ records }) => onProgress(records) }),
      })
    },
    tail: async function* ({ fromSeq, follow, signal }) {
      const { readRecords } = await import('../audit/read.ts')
      const following = follow ? { clock: world.clock, signal: signal ?? new AbortController().signal } : undefined
      for await (const record of readRecords(await files('read'), { fromSeq, follow: following })) yield { ...record }
    },
    reopen: async () => {
      const { reopenAuditLog } = await import('../audit/open.ts')
      const { clock, random } = world
      const report = await reopenAuditLog({ files: await files('write'), clock, random, instance: 'cli', actor: LOCAL_OPERATOR })
      return { ...report }
    },
  }
}

/** The newest record the store remembers: what lets `verify` notice records cut off the end. */
async function rememberedHead(directory: string, world: World): ReturnType<AuditIndex['head']> {
  const path = storePath(directory)
  if (!(await exists(path))) return undefined
  const { openSqliteStore } = await import('../store/sqlite.ts')
  const store = await openSqliteStore({ path, clock: world.clock, role: 'guest' })
  try {
    return await store.auditIndex.head()
  } finally {
    store.close()
  }
}

/** @throws `start/refused` naming every reason at once */
async function refuseUnsafe(config: Config, env: Readonly<Record<string, string | undefined>>, logger: Logger): Promise<void> {
  const { checkStart } = await import('../config/start-guard.ts')
  const { refusals, warnings } = checkStart({ config, env, command: 'serve' })
  for (const { path, problem, fix } of warnings) logger.warn('start-warning', { path, problem, fix })
  if (refusals.length === 0) return
  throw new SignerError('start/refused', {
    reason: refusals.map(({ path, problem }) => `${path} ${problem}`).join('; '),
    fix: refusals.map(({ fix }) => fix).join(' '),
  })
}

function harden(runtime: Runtime, logger: Logger, required: boolean): void {
  const report = runtime.harden()
  logger.info('hardening', Object.fromEntries(report.items.map(item => [item.name, item.reason ?? item.status])))
  if (!required || report.complete) return
  const failed = report.items.filter(item => item.status !== 'ok')
  throw new SignerError('start/refused', {
    reason: `hardening is not complete: ${failed.map(item => `${item.name} (${item.reason ?? item.status})`).join(', ')}`,
    fix: 'run on Linux with glibc or musl, or start without --require-hardening',
  })
}

const readText = (path: string): Promise<string> => readFile(path, 'utf8')

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )
