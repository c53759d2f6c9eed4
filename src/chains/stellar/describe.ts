import type { Description } from '../../domain/chain.ts'
import { decimalOf, type MemoView, type PreconditionsView, type TransactionBodyView } from '../../domain/stellar.ts'
import type { StellarParsed } from './parse.ts'
import { accountText, operationText } from './sentences.ts'
import { quoted } from './values.ts'

/**
 * `json` is the envelope in SEP-51 form; `sentence` names every operation, so nothing hides behind the first one.
 * Both hold printable ASCII only where a caller chose the text.
 */
export function describe(parsed: StellarParsed): Description {
  return {
    type: 'stellar-transaction',
    network: parsed.network,
    get json() {
      return parsed.envelope.toJson() // made when somebody looks: the path of a signature needs the sentence alone
    },
    sentence: sentenceOf(parsed),
  }
}

function sentenceOf({ view, network }: StellarParsed): string {
  if (view.kind === 'transaction') return `${bodyText(view)}; network ${network}.`
  const payer = `${accountText(view.feeSource)} pays a fee of at most ${feeText(view.feeStroops)} for the transaction:`
  return `Fee bump: ${payer} ${bodyText(view.inner)}; network ${network}.`
}

function bodyText(body: TransactionBodyView): string {
  const count = body.operations.length
  const operations =
    count === 0
      ? 'No operation'
      : body.operations
          .map((operation, at) => {
            const text = operationText(operation, body.source)
            return count === 1 ? text : `(${at + 1} of ${count}) ${text}`
          })
          .join('; ')
  const parts = [
    operations,
    `source ${accountText(body.source)}`,
    `sequence ${body.sequence}`,
    `fee at most ${feeText(body.feeStroops)}${resourceText(body)}`,
    memoText(body.memo),
    ...preconditionTexts(body.preconditions),
  ]
  return parts.join('; ')
}

const feeText = (stroops: bigint): string => `${stroops} stroops (${decimalOf(stroops)} XLM)`

const resourceText = (body: TransactionBodyView): string =>
  body.resourceFeeStroops === null ? '' : `, ${body.resourceFeeStroops} stroops of it for contract resources`

function memoText(memo: MemoView): string {
  switch (memo.kind) {
    case 'none':
      return 'no memo'
    case 'text':
      return `memo text ${quoted(memo.text)}`
    case 'id':
      return `memo id ${memo.id}`
    case 'hash':
    case 'return':
      return `memo ${memo.kind} ${memo.hash}`
  }
}

function preconditionTexts(preconditions: PreconditionsView): string[] {
  const { timeBounds, ledgerBounds, minSequence, minSequenceAgeSeconds, minSequenceLedgerGap } = preconditions
  const texts: string[] = []
  if (timeBounds === null || timeBounds.maxTime === 0n) texts.push('valid without end')
  else texts.push(`valid until ${timeText(timeBounds.maxTime)}`)
  if (timeBounds !== null && timeBounds.minTime !== 0n) texts.push(`valid from ${timeText(timeBounds.minTime)}`)
  if (ledgerBounds !== null) {
    const end = ledgerBounds.maxLedger === 0 ? 'without end' : `before ${ledgerBounds.maxLedger}`
    texts.push(`ledgers from ${ledgerBounds.minLedger} ${end}`)
  }
  if (minSequence !== null) texts.push(`valid at any account sequence from ${minSequence}`)
  if (minSequenceAgeSeconds !== 0n) texts.push(`sequence at least ${minSequenceAgeSeconds} seconds old`)
  if (minSequenceLedgerGap !== 0) texts.push(`sequence at least ${minSequenceLedgerGap} ledgers old`)
  for (const signer of preconditions.extraSigners) texts.push(`extra signer ${signer} required`)
  return texts
}

/** The last second that ISO 8601 with a four-digit year can name. */
const ISO_SECONDS_MAX = 253_402_300_799n

export const timeText = (seconds: bigint): string =>
  seconds <= ISO_SECONDS_MAX
    ? `${new Date(Number(seconds) * 1000).toISOString().slice(0, 19)}Z`
    : `second ${seconds} of the epoch`
