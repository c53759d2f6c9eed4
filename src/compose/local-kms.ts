import {
  type LatencyName,
  type LocalKms,
  type LocalKmsOptions,
  PortError,
  type PortOption,
  startLocalKms,
} from '../../local-kms/index.ts'
import type { LocalKmsFlags, Running } from '../cli/context.ts'
import { SignerError } from '../domain/errors.ts'
import { running } from './running.ts'

/** What was written on the command line; local-kms itself checks the name of the profile, and lists those there are. */
type Options = Omit<LocalKmsOptions, 'latency'> & { readonly latency?: string | undefined }

/** @throws `request/malformed` for an option or a file it cannot use; `start/refused` when it cannot listen */
export async function openLocalKms(options: Options): Promise<LocalKms> {
  try {
    return await startLocalKms({ ...options, latency: options.latency as LatencyName | undefined })
  } catch (error) {
    throw asSignerError(error, options)
  }
}

/** What `countersign local-kms` runs: the emulator alone. */
export async function startLocalKmsAlone(flags: LocalKmsFlags): Promise<Running> {
  const { port, vaultPort, gcpRestPort, gcpGrpcPort, faces, seedFile, latency, sigv4, persist } = flags // commander adds more
  const ports = { port, vaultPort, gcpRestPort, gcpGrpcPort }
  const kms = await openLocalKms({ ...ports, faces, seedFile, latency, sigv4, persist })
  return running({ ready: true, ...addresses(kms) }, () => kms.close())
}

/** Of the faces that were started. */
function addresses(kms: LocalKms): Record<string, string> {
  const has = (face: LocalKms['faces'][number]): boolean => kms.faces.includes(face)
  return {
    ...(has('aws') && { aws: kms.aws }),
    ...(has('vault') && { vault: kms.vault, vaultToken: kms.vaultToken }),
    ...(has('gcp') && { gcpRest: kms.gcpRest, gcpGrpc: kms.gcpGrpc }),
  }
}

const FLAGS = {
  port: '--port',
  vaultPort: '--vault-port',
  gcpRestPort: '--gcp-rest-port',
  gcpGrpcPort: '--gcp-grpc-port',
} as const satisfies Record<PortOption, string>

function asSignerError(error: unknown, { persist }: Options): unknown {
  const fix = 'see local-kms/README.md'
  if (error instanceof RangeError) {
    return new SignerError('request/malformed', { field: 'local-kms', reason: error.message, fix }, { cause: error })
  }
  if (error instanceof SyntaxError) {
    const reason = `${JSON.stringify(persist)} is no file that local-kms wrote`
    return new SignerError('request/malformed', { field: '--persist', reason, fix }, { cause: error })
  }
  if (error instanceof PortError) {
    const reason = `local-kms cannot listen on port ${error.port} (${FLAGS[error.option]}): ${error.code}`
    const other = `free the port, or give ${FLAGS[error.option]} another one; 0 takes any free port`
    return new SignerError('start/refused', { reason, fix: other }, { cause: error })
  }
  const { code } = error as { code?: unknown }
  if (typeof code !== 'string') return error
  return new SignerError(
    'start/refused',
    { reason: code, fix: 'check that the files can be written' },
    { cause: error },
  )
}
