/** What a program with ethers does: the task as an argument, a signature as a line. */
import process from 'node:process'
import { createCountersign } from 'countersign/client'
import { CountersignSigner } from 'countersign/ethers'
import type { Task } from './consumer.ts'

const { url, message } = JSON.parse(process.argv[2] ?? '') as Task
const countersign = createCountersign({
  url,
  token: async ({ thumbprint }) => (await fetch(`${url}/token/${await thumbprint()}`)).text(),
})
process.stdout.write(`${await new CountersignSigner(await countersign.evm('deployer')).signMessage(message)}\n`)
