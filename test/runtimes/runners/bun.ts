/** Bun: runs this file as it is. */
import { wasmFromBytes } from '../../../src/runtime/bun.ts'
import { runSuite } from '../suite.ts'

console.log(JSON.stringify({ runtime: `bun ${process.versions.bun}`, ...(await runSuite({ wasmFromBytes })) }))
