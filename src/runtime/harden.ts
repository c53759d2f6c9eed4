/** The system calls behind `harden()`, without the way to reach them: that is the runtime's business. */
import { type HardeningItem, type HardeningReport, hardeningReport } from './contract.ts'

/** Numbers from `linux/prctl.h` and `asm-generic/resource.h`; the same on x86-64 and arm64. */
const PR_GET_DUMPABLE = 3
const PR_SET_DUMPABLE = 4
const PR_SET_NO_NEW_PRIVS = 38
const PR_GET_NO_NEW_PRIVS = 39
const RLIMIT_CORE = 4

/** The three functions of libc that are needed, as plain calls. */
export interface LibC {
  prctl(option: number, value: number): number
  /** @param limits soft and hard limit, two unsigned 64-bit words in machine order. */
  setrlimit(resource: number, limits: BigUint64Array): number
  getrlimit(resource: number, limits: BigUint64Array): number
}

/**
 * Makes the process unreadable for others of the same user (no ptrace, no /proc/PID/mem), keeps it from writing core files and
 * from ever gaining privileges. Each item is read back: a call that was swallowed by a filter does not count as done.
 *
 * `no-new-privileges` holds for the calling thread and the threads it starts later (prctl(2)); threads of the runtime that are
 * already running keep theirs, so the service manager should set it too.
 */
export function hardenWith(libc: LibC): HardeningReport {
  return hardeningReport([
    item('not-dumpable', () => {
      const answer = libc.prctl(PR_SET_DUMPABLE, 0)
      return answer === 0 && libc.prctl(PR_GET_DUMPABLE, 0) === 0 ? undefined : `prctl answered ${answer}`
    }),
    item('no-core-files', () => {
      const answer = libc.setrlimit(RLIMIT_CORE, new BigUint64Array([0n, 0n]))
      const now = new BigUint64Array([1n, 1n])
      const read = libc.getrlimit(RLIMIT_CORE, now)
      return answer === 0 && read === 0 && now[0] === 0n && now[1] === 0n ? undefined : `setrlimit answered ${answer}`
    }),
    item('no-new-privileges', () => {
      const answer = libc.prctl(PR_SET_NO_NEW_PRIVS, 1)
      return answer === 0 && libc.prctl(PR_GET_NO_NEW_PRIVS, 0) === 1 ? undefined : `prctl answered ${answer}`
    }),
  ])
}

function item(name: HardeningItem['name'], attempt: () => string | undefined): HardeningItem {
  try {
    const reason = attempt()
    return reason === undefined ? { name, status: 'ok' } : { name, status: 'failed', reason }
  } catch (cause) {
    return { name, status: 'failed', reason: cause instanceof Error ? cause.message : 'the call could not be made' }
  }
}
