/** The process of the service: `bun bench/service.ts ADDRESSES`, driven by `bench/rig/orders.ts`. */
import { createInterface } from 'node:readline'
import { jsonLogger } from '../src/compose/log.ts'
import { openRuntime } from '../src/runtime/index.ts'
import { obey } from './rig/orders.ts'
import { startBenchService } from './rig/service.ts'
import type { Emulator } from './rig/emulator.ts'

const runtime = await openRuntime()
const logger = jsonLogger('error', line => void runtime.write('stderr', line))
const emulator = JSON.parse(runtime.argv()[0] ?? '{}') as Emulator
const service = await startBenchService(emulator, runtime, logger)
await obey(service, createInterface({ input: process.stdin }), line => runtime.write('stdout', `${line}\n`))
runtime.exit(0)
