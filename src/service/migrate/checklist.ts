import type { ChecklistItem, Source } from './types.ts'

/**
 * Old copies: where they are found, and what ends them. Deleting is not enough where a medium keeps old blocks or a service
 * keeps old revisions, so the last point of every list takes the seed itself out of use.
 */
const ITEMS: Readonly<Record<Source, readonly (readonly [id: string, what: string])[]>> = {
  env: [
    [
      'source',
      'the file or variable that was read just now: `shred -u FILE` on a disk that overwrites in place; delete it elsewhere',
    ],
    [
      'env-files',
      '.env files, unit files, compose files and Helm values on every machine, those in old branches of git included',
    ],
    ['processes', 'running processes that were started with it (it stands in /proc/PID/environ): restart them without'],
    [
      'shell-history',
      'shell histories and notes of the people who ever exported it: ~/.bash_history, ~/.zsh_history, tmux logs',
    ],
    ['ci-secrets', 'secrets and variables of CI, and the logs of jobs that printed their environment'],
    [
      'orchestrator',
      'secrets of the orchestrator or platform (Kubernetes Secrets and etcd, ECS, Heroku, …), old revisions included',
    ],
    [
      'images',
      'container images: `docker history --no-trunc IMAGE` shows build arguments and ENV lines; delete tags and caches',
    ],
    ['backups', 'backups and snapshots of all of these: delete them, or let them expire and note the date'],
    ['logs', 'logs, crash dumps and error reports that carry an environment'],
    ['people', 'password managers, tickets, chats and e-mail'],
    [
      'rotate',
      'what many could read counts as read: plan `countersign rotate` to a key that never was outside a key service',
    ],
  ],
  'passphrase-rows': [
    ['source', 'the file of rows and the file of the passphrase that were read just now: `shred -u FILE`'],
    [
      'column',
      'the column or table of the old platform: stop the platform, then empty it (VACUUM FULL, or a new table) on every replica',
    ],
    ['passphrase', 'the passphrase in the environment, secret store and CI of the old platform'],
    [
      'backups',
      'dumps, snapshots and write-ahead archives of that database: delete them, or let them expire and note the date',
    ],
    ['exports', 'exports, staging copies and developer machines that a dump was ever loaded on'],
    ['people', 'password managers, tickets and chats that hold the passphrase'],
    [
      'rotate',
      'such rows open at a guess for one hash each: where a copy may be outside, plan `countersign rotate` for its key',
    ],
  ],
  'kms-blob': [
    [
      'permissions',
      'the right of the old program to decrypt: take it out of key policy, grants and roles, or its copies stay usable',
    ],
    [
      'column',
      'the table, file or object with the ciphertexts of the old program; this program keeps copies of its own',
    ],
    ['memory', 'running processes of the old program, which may hold opened keys: stop them'],
    [
      'log',
      'the log of the key service (CloudTrail, audit log): look for decryptions by anybody else, before and from now on',
    ],
    ['backups', 'backups of the old table: worthless once nobody but this program may decrypt'],
  ],
}

/** What to do after keys moved from this source, in order. */
export const checklistOf = (source: Source): readonly ChecklistItem[] =>
  ITEMS[source].map(([id, what]) => ({ id, what }))
