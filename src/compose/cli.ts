import { readFile } from 'node:fs/promises'
import type { AuditRoom, Services } from '../cli/context.ts'
import type { Config } from '../config/schema.ts'
import { SignerError } from '../domain/errors.ts'
import type { Logger, World } from '../domain/ports.ts'
import type { Runtime } from '../runtime/index.ts'
import { running } from './running.ts'

const DRAIN_MS = 10_000

/** What the command line offers, wired to the real parts. Each command loads only what it needs: `--version` loads nothing. */
export function createServices(runtime: Runtime, version: string, loggerAt: (level: string) => Logger): Services {
  const world = runtime.world()
  const environment = runtime.environment()
  const loadConfig: Services['loadConfig'] = async ({ file, flags }) => {
    const config = await import('../config/load.ts')
    return config.loadConfig({ ...(file === undefined ? {} : { file }), env: environment, flags, readFile: readText })
  }
  const addresses = async () => (await import('./addresses.ts')).createAddresses(world)
  /** Before a command opens seeds, or key services with rights to change them. @throws `start/refused` */
  const prepareForKeys = async (config: Config): Promise<void> => {
    const logger = loggerAt('warn')
    await refuseUnsafe('keys', config, environment, logger)
    harden(runtime, logger, false)
  }
  return {
    version: () => version,
    loadConfig,
    serve: async (config, { requireHardening }) => {
      const logger = loggerAt(config.log.level)
      await refuseUnsafe('serve', config, environment, logger)
      harden(runtime, logger, requireHardening)
      const [{ startService }, { serviceSettings }] = await Promise.all([
        import('./service.ts'),
        import('./settings.ts'),
      ])
      const service = await startService({ ...serviceSettings(config, world), version }, runtime, logger)
      const { url, controlUrl } = service
      const ready = {
        ready: true,
        ...(config.plane === 'control' ? {} : { dataUrl: url }),
        ...(controlUrl === undefined ? {} : { controlUrl }),
      }
      return running(ready, () => service.stop(DRAIN_MS))
    },
    dev: async options => {
      const { checkStart } = await import('../config/start-guard.ts')
      for (const { path, problem } of checkStart({ env: environment, command: 'dev' }).warnings) {
        options.warn(`warning: ${path} ${problem}`)
      }
      const logger = loggerAt('warn')
      harden(runtime, logger, false)
      return (await import('./dev.ts')).startDev(options, runtime, logger)
    },
    localKms: async flags => (await import('./local-kms.ts')).startLocalKmsAlone(flags),
    openKeys: async config => {
      await prepareForKeys(config)
      const [{ openKeyRoom }, { roomSettings }] = await Promise.all([import('./keys.ts'), import('./settings.ts')])
      return openKeyRoom(roomSettings(config), world)
    },
    openMigration: async config => {
      await prepareForKeys(config)
      const [{ openMigrationRoom }, { roomSettings }] = await Promise.all([
        import('./migrate.ts'),
        import('./settings.ts'),
      ])
      return openMigrationRoom(roomSettings(config), world)
    },
    openRewrap: async config => {
      await prepareForKeys(config)
      const [{ openRewrapRoom }, { roomSettings }] = await Promise.all([import('./rewrap.ts'), import('./settings.ts')])
      return openRewrapRoom(roomSettings(config), world)
    },
    openDestroy: async config => {
      await prepareForKeys(config)
      const [{ openDestroyRoom }, { destroySettings }] = await Promise.all([
        import('./destroy.ts'),
        import('./settings.ts'),
      ])
      return openDestroyRoom(destroySettings(config), world)
    },
    openInventory: async config => {
      await refuseUnsafe('keys', config, environment, loggerAt('warn')) // credentials go to the key services
      const [{ openInventory }, { roomSettings }] = await Promise.all([
        import('./inventory.ts'),
        import('./settings.ts'),
      ])
      const { cryptoPeriodDays } = config.keys
      return openInventory(
        { ...roomSettings(config), ...(cryptoPeriodDays === undefined ? {} : { cryptoPeriodDays }) },
        world,
      )
    },
    openPins: async (config, { proof, quarantine }) => {
      const logger = loggerAt('warn')
      if (proof) await prepareForKeys(config)
      else await refuseUnsafe('keys', config, environment, logger)
      const [{ openPins }, { roomSettings }] = await Promise.all([import('./pin-room.ts'), import('./settings.ts')])
      return openPins(roomSettings(config), { quarantine }, world, logger)
    },
    openRotation: async config => {
      await prepareForKeys(config)
      const [{ openRotationRoom }, { roomSettings }] = await Promise.all([
        import('./rotation.ts'),
        import('./settings.ts'),
      ])
      return openRotationRoom({ ...roomSettings(config), networks: config.networks }, world)
    },
    openAdmins: async config => {
      await refuseUnsafe('keys', config, environment, loggerAt('warn'))
      const [{ openAdminRoom }, { roomSettings }] = await Promise.all([import('./admins.ts'), import('./settings.ts')])
      return openAdminRoom(roomSettings(config), world)
    },
    openFlags: async ({ environment: place, flags, data }, file) => {
      const [{ openFlagRoom }, { flagFileOf }] = await Promise.all([import('./flag-room.ts'), import('./flags.ts')])
      const settings = { environment: place, file: flagFileOf(file ?? flags.file), dataDirectory: data.directory }
      return openFlagRoom(settings, world)
    },
    metadataIssuer: async config => {
      const [{ openMetadata, metadataSettings }, { roomSettings }] = await Promise.all([
        import('./published.ts'),
        import('./settings.ts'),
      ])
      const { dataDirectory } = roomSettings(config)
      return openMetadata({ dataDirectory, metadata: metadataSettings(config) }, world.random)
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
      ofKey: async (config, provider, reference) => {
        await refuseUnsafe('keys', config, environment, loggerAt('warn')) // credentials go to the key service
        return (await addresses()).ofKey(config, provider, reference)
      },
      ofSeed: async file => {
        await prepareForSecrets(runtime, loggerAt('warn'))
        return (await addresses()).ofSeed(file)
      },
      generate: async () => {
        await prepareForSecrets(runtime, loggerAt('warn'))
        return (await addresses()).generate()
      },
    },
    openLoginKey: async file => {
      await prepareForSecrets(runtime, loggerAt('warn'))
      return (await import('./login.ts')).openLoginSeed(file, world)
    },
    doctor: async function* (config, options) {
      const { warnings, refusals } = (await import('../config/start-guard.ts')).checkStart({
        config,
        env: environment,
        command: 'keys',
      })
      const { diagnose } = await import('./doctor.ts')
      yield* diagnose(config, { ...options, refusals, warnings }, world)
    },
    bench: async options => (await import('./bench.ts')).bench(options, runtime, version),
    linkPlugin: async (name, dir) =>
      (await import('./plugin-link.ts')).linkPlugin(runtime.selfExecutable(), name, dir, environment['PATH']),
  }
}

/** The same, with the code loaded when it is asked for. */
function auditRoom(directory: string, world: World): AuditRoom {
  const room = async () => (await import('./audit.ts')).openAuditRoom(directory, world)
  return {
    verify: async onProgress => (await room()).verify(onProgress),
    tail: async function* (options) {
      yield* (await room()).tail(options)
    },
    reopen: async () => (await room()).reopen(),
  }
}

/** @throws `start/refused` naming every reason at once */
async function refuseUnsafe(
  command: 'serve' | 'keys',
  config: Config,
  env: Readonly<Record<string, string | undefined>>,
  logger: Logger,
): Promise<void> {
  const { checkStart } = await import('../config/start-guard.ts')
  const { refusals, warnings } = checkStart({ config, env, command })
  for (const { path, problem, fix } of warnings) logger.warn('start-warning', { path, problem, fix })
  if (refusals.length === 0) return
  throw new SignerError('start/refused', {
    reason: refusals.map(({ path, problem }) => `${path} ${problem}`).join('; '),
    fix: refusals.map(({ fix }) => fix).join(' '),
  })
}

/** An operator's command that handles a seed: an unsafe environment is said aloud, and the process closed as far as it goes. */
async function prepareForSecrets(runtime: Runtime, logger: Logger): Promise<void> {
  const { checkStart } = await import('../config/start-guard.ts')
  const { warnings } = checkStart({ env: runtime.environment(), command: 'dev' })
  for (const { path, problem, fix } of warnings) logger.warn('start-warning', { path, problem, fix })
  harden(runtime, logger, false)
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
