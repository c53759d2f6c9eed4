/** Writes the pages that are made from code: `bun scripts/docs.ts`. A test compares them with what is checked in. */
import { writeFile } from 'node:fs/promises'
import { costPage } from '../bench/costs.ts'
import { configurationPage } from './configuration-page.ts'
import { controlDocument } from '../src/http/openapi-control.ts'
import { openApiDocument } from '../src/http/openapi.ts'
import { PROBLEMS, problemType } from '../src/http/problem.ts'
import type { ErrorCode } from '../src/domain/errors.ts'

export function errorsPage(): string {
  const rows = (Object.keys(PROBLEMS) as ErrorCode[]).map(code => {
    const { status, meaning, fix } = PROBLEMS[code]
    return `| \`${code}\` | ${status} | ${meaning} | ${fix} |`
  })
  return `# What it answers when it says no

Every refusal is \`application/problem+json\` (RFC 9457). \`code\` is stable; \`type\` is its page at the service, for example
\`${problemType('policy/denied')}\`; \`retryable\` says whether the same request may be sent again with the same \`Idempotency-Key\`; \`requestId\` is in the log.

| code | status | meaning | what to do |
|---|---|---|---|
${rows.join('\n')}
`
}

export const openApiPage = (): string => `${JSON.stringify(openApiDocument(), null, 2)}\n`
const controlPage = (): string => `${JSON.stringify(controlDocument(), null, 2)}\n`

if (import.meta.main) {
  const docs = new URL('../docs/', import.meta.url)
  await writeFile(new URL('errors.md', docs), errorsPage())
  await writeFile(new URL('openapi.json', docs), openApiPage())
  await writeFile(new URL('openapi-control.json', docs), controlPage())
  await writeFile(new URL('costs.md', docs), costPage())
  await writeFile(new URL('configuration.md', docs), configurationPage())
}
