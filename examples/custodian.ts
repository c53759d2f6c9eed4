/** bun examples/custodian.ts SEED_FILE STATEMENT_FILE: shows a break-glass statement and signs it (SEP-53). */
import { readFileSync } from 'node:fs'
import { Keypair } from '@stellar/stellar-sdk'

const [seedFile = '', statementFile = ''] = process.argv.slice(2)
const { text } = JSON.parse(readFileSync(statementFile, 'utf8')) as { text: string }
const pair = Keypair.fromSecret(readFileSync(seedFile, 'utf8').trim())
console.error(text) // read it before you send the signature on
const signature = Buffer.from(pair.signMessage(text)).toString('base64')
console.log(JSON.stringify({ address: pair.publicKey(), signature }))
