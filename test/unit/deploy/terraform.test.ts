/** M-72: the Terraform files give every template exactly what it asks for, so that what is applied is what was evaluated. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'node:test'

const DEPLOY = fileURLToPath(new URL('../../../deploy', import.meta.url))
const asked = (text: string): string[] => [
  ...new Set([...text.matchAll(/\$\{([a-z_]+)\}/g)].map(([, name = '']) => name)),
]

for (const cloud of readdirSync(join(DEPLOY, 'terraform'))) {
  test(`M-72 deploy/terraform/${cloud}: templates get the variables they name, and every policy file is used`, () => {
    const folder = join(DEPLOY, 'iam', cloud)
    const tf = readFileSync(join(DEPLOY, 'terraform', cloud, 'main.tf'), 'utf8')
    const calls = [...tf.matchAll(/templatefile\("\$\{local\.iam\}\/([a-z-]+\.[a-z]+)",\s*\{([^}]*)\}/g)]
    assert.ok(calls.length > 0)
    for (const [, file = '', given = ''] of calls) {
      const names = [...given.matchAll(/^\s*([a-z_]+)\s*=/gm), ...given.matchAll(/^ ([a-z_]+) =/g)].map(
        ([, n = '']) => n,
      )
      assert.deepEqual([...new Set(names)].toSorted(), asked(readFileSync(join(folder, file), 'utf8')).toSorted(), file)
    }
    const plain = [...tf.matchAll(/(?:^|[^e])file\("\$\{local\.iam\}\/([a-z-]+\.[a-z]+)"\)/g)].map(
      ([, file = '']) => file,
    )
    for (const file of plain) assert.deepEqual(asked(readFileSync(join(folder, file), 'utf8')), [], file)
    const used = new Set([...calls.map(([, file]) => file), ...plain])
    // Attached by hand, for keys that other programs encrypted.
    const unused = readdirSync(folder).filter(file => !used.has(file) && file !== 'signer-decrypt-adopted.json')
    assert.deepEqual(unused, [])
  })
}
