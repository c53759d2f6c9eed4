/** Deno: runs this file as it is. */
import { wasmFromBytes } from '../../../src/runtime/deno.ts'
import { runSuite } from '../suite.ts'

console.log(JSON.stringify({ runtime: `deno ${process.versions['deno']}`, ...(await runSuite({ wasmFromBytes })) }))
