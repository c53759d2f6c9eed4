import { type LatencyName, type LocalKms, type LocalKmsOptions, startLocalKms } from '../../local-kms/index.ts'
import { SignerError } from '../domain/errors.ts'

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

function asSignerError(error: unknown, { port, persist }: Options): unknown {
  const fix = 'see local-kms/README.md'
  if (error instanceof RangeError) {
    return new SignerError('request/malformed', { field: 'local-kms', reason: error.message, fix }, { cause: error })
  }
  if (error instanceof SyntaxError) {
    const reason = `${JSON.stringify(persist)} is no file that local-kms wrote`
    return new SignerError('request/malformed', { field: '--persist', reason, fix }, { cause: error })
  }
  const { code, syscall } = error as { code?: unknown; syscall?: unknown }
  if (typeof code !== 'string') return error
  const reason =
    syscall === 'listen' || code === 'EADDRINUSE' ? `local-kms cannot listen on port ${port}: ${code}` : code
  return new SignerError(
    'start/refused',
    { reason, fix: 'free the port or use port 0; check that the files can be written' },
    { cause: error },
  )
}
