/** A lane of the campaign on a thread of its own: half the time on two cores. */
import { parentPort, workerData } from 'node:worker_threads'
import { type Lane, mutatedEnvelopes } from './envelopes.ts'

// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a window's; this is a thread
parentPort?.postMessage(await mutatedEnvelopes(workerData as Lane))
