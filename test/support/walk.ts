/**
 * Runs the shell blocks of a page in one bash, in order, and reads what they printed against what the page says:
 *
 *   ```sh              a block; `sh WORD` is run only where WORD is wanted
 *   # → text           has been printed since the lines of this kind before; `…` stands for anything
 */
import { spawn } from 'node:child_process'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'

export interface Said {
  /** The heading it stands under. */
  readonly section: string
  /** First line of the page that says so. */
  readonly line: number
  /** Each must be in what was printed. */
  readonly texts: readonly string[]
}

export interface Page {
  /** With a mark after each thing said. */
  readonly script: string
  readonly said: readonly Said[]
}

const SAID = '# → '
const MARK = '@@ said '

/** @param words  blocks of these kinds are run too */
export function readPage(markdown: string, words: readonly string[] = []): Page {
  const said: { section: string; line: number; texts: string[] }[] = []
  const script: string[] = []
  let [section, inBlock, runs] = ['', false, false]
  let open: string[] | undefined
  for (const [at, line] of markdown.split('\n').entries()) {
    if (line.startsWith('```')) {
      inBlock = !inBlock
      const [kind, word] = line.slice(3).split(' ')
      runs = inBlock && kind === 'sh' && (word === undefined || words.includes(word))
      open = undefined
    } else if (!inBlock && line.startsWith('## ')) section = line.slice(3)
    else if (runs && line.startsWith(SAID)) {
      if (open === undefined) {
        open = []
        script.push(`printf '\\n${MARK}%s\\n' ${said.length}`)
        said.push({ section, line: at + 1, texts: open })
      }
      open.push(line.slice(SAID.length))
    } else if (runs) {
      open = undefined
      script.push(line)
    }
  }
  return { script: script.join('\n'), said }
}

/** @returns what was printed before each mark that was reached */
export const printedBy = (stdout: string): readonly string[] => stdout.split(new RegExp(`\\n${MARK}\\d+\\n`))

/** `…` is anything, also across lines. */
export function says(printed: string, text: string): boolean {
  let from = 0
  return text.split('…').every(part => {
    const at = printed.indexOf(part, from)
    from = at + part.length
    return at >= 0
  })
}

/** The lines of the blocks ```sh WORD, or of those without a word. */
export function commandsOf(page: string, word?: string): readonly string[] {
  const fence = word === undefined ? '```sh' : `\`\`\`sh ${word}`
  let [inBlock, runs] = [false, false]
  return page.split('\n').flatMap(line => {
    if (line.startsWith('```')) [inBlock, runs] = [!inBlock, !inBlock && line === fence]
    else if (runs) return [line]
    return []
  })
}

export interface Block {
  /** The heading (##) it stands under. */
  readonly section: string
  /** As in ```sh WORD. */
  readonly word: string | undefined
  readonly lines: readonly string[]
}

/** Every shell block of a page, whatever its word, in its order. */
export function blocksOf(page: string): readonly Block[] {
  const blocks: Block[] = []
  let section = ''
  let open: string[] | undefined
  let inBlock = false
  for (const line of page.split('\n')) {
    if (line.startsWith('```')) {
      inBlock = !inBlock
      const [kind, word] = line.slice(3).split(' ')
      open = inBlock && kind === 'sh' ? [] : undefined
      if (open !== undefined) blocks.push({ section, word, lines: open })
    } else if (open !== undefined) open.push(line)
    else if (!inBlock && line.startsWith('## ')) section = line.slice(3)
  }
  return blocks
}

export interface Walked {
  readonly stdout: string
  readonly stderr: string
  readonly code: number | null
}

/** In a process group of its own, which is gone afterwards whatever happened. @param folder  HOME and TMPDIR */
export async function walk(
  script: string,
  options: { cwd: string; folder: string; path: readonly string[]; env: Record<string, string>; limitMs: number },
): Promise<Walked> {
  const { cwd, folder, path, env, limitMs } = options
  const bin = join(folder, 'bin')
  mkdirSync(bin)
  const bun = join(bin, 'bun')
  writeFileSync(bun, `#!/bin/sh\nexec "${process.execPath}" "$@"\n`)
  chmodSync(bun, 0o755)
  const child = spawn('bash', ['-eu', '-c', script], {
    cwd,
    detached: true,
    env: { ...env, PATH: [bin, ...path].join(':'), HOME: folder, TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const end = () => {
    try {
      process.kill(-(child.pid ?? 0), 'SIGKILL')
    } catch {
      // Gone already.
    }
  }
  const limit = setTimeout(end, limitMs)
  const printed = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].on('data', (part: Uint8Array) => (printed[stream] += new TextDecoder().decode(part)))
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', end) // what it left behind keeps the pipes open
    child.once('close', code => {
      clearTimeout(limit)
      resolve({ ...printed, code })
    })
  })
}

export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer())
  const ports = await Promise.all(
    servers.map(
      server =>
        new Promise<number>((resolve, reject) => {
          server.once('error', reject)
          server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port))
        }),
    ),
  )
  await Promise.all(servers.map(server => new Promise(resolve => server.close(resolve))))
  return ports
}
