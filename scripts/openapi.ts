/** Writes docs/openapi.json from the code: `bun scripts/openapi.ts`. A test compares the two. */
import { writeFile } from 'node:fs/promises'
import { openApiDocument } from '../src/http/openapi.ts'

await writeFile(new URL('../docs/openapi.json', import.meta.url), `${JSON.stringify(openApiDocument(), null, 2)}\n`)
