import { lstat, readlink, symlink } from 'node:fs/promises'
import { basename, delimiter, dirname, extname, join, resolve } from 'node:path'
import type { PluginLink } from '../cli/context.ts'
import { SignerError } from '../domain/errors.ts'
import type { SelfExecutable } from '../runtime/index.ts'

/**
 * A symbolic link of that name to this program. What is there already stays as it is: the same link is kept, anything else
 * is a refusal.
 * @param dir  without it: the folder of this program
 * @param searched  PATH
 * @throws `request/malformed`
 */
export async function linkPlugin(
  self: SelfExecutable | undefined,
  name: string,
  dir: string | undefined,
  searched: string | undefined,
): Promise<PluginLink> {
  if (self === undefined || !self.compiled) {
    throw refuse('install', 'is of the single binary, and this runs from its sources', 'build it with `bun run build`')
  }
  const target = self.path
  const folder = resolve(dir ?? dirname(target))
  const path = join(folder, `${name}${extname(basename(target)) === '.exe' ? '.exe' : ''}`)
  const link = { path, target, onPath: (searched ?? '').split(delimiter).includes(folder) }
  const there = await lstat(path).catch(() => undefined)
  if (there?.isSymbolicLink() && resolve(folder, await readlink(path)) === target) return { ...link, created: false }
  if (there !== undefined) {
    throw refuse('--dir', `${path} is there already, and it is another file`, 'remove it, or choose another folder')
  }
  try {
    await symlink(target, path)
  } catch (cause) {
    const { code = 'unknown' } = cause as { code?: string }
    throw refuse('--dir', `${path} cannot be written (${code})`, 'choose a folder on PATH that is yours', cause)
  }
  return { ...link, created: true }
}

const refuse = (field: string, reason: string, fix: string, cause?: unknown): SignerError =>
  new SignerError('request/malformed', { field, reason, fix }, { cause })
