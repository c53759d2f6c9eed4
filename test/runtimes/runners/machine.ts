/**
 * Bun, Node and Deno: without an argument the portable core, which needs no network; with the addresses of the key
 * services as JSON, the providers, by the entries for the edge and by those for a machine.
 */
import process from 'node:process'
import type { World } from '../../../src/domain/ports.ts'
import type { ServicesReport } from '../report.ts'
import type { Places } from '../services/places.ts'

export async function report(
  runtime: string,
  { wasmFromBytes, world }: { wasmFromBytes: boolean; world: () => World },
) {
  const [, , places] = process.argv
  const capability = { wasmFromBytes }
  if (places === undefined) {
    const { runSuite } = await import('../suite.ts')
    return say({ runtime, ...(await runSuite(capability)) })
  }
  const { runNowhere, runOtherWire, runServices } = await import('../services/suite.ts')
  const { edge } = await import('../services/edge.ts')
  const { machine } = await import('../services/machine.ts')
  const reach = { capability, world: world(), places: JSON.parse(places) as Places }
  const result: ServicesReport = {
    runtime,
    edge: await runServices({ ...reach, openers: edge }),
    nowhere: await runNowhere({ ...reach, openers: edge }),
    machine: await runServices({ ...reach, openers: machine }),
    sdk: await runOtherWire('aws-kms', { ...reach, openers: machine, wires: { 'aws-kms': 'sdk' } }),
    grpc: await runOtherWire('gcp-kms', { ...reach, openers: machine, wires: { 'gcp-kms': 'grpc' } }),
  }
  say(result)
  // Google's gRPC client keeps its channel for a while.
  process.exit()
}

const say = (result: object): void => void process.stdout.write(`${JSON.stringify(result)}\n`)
