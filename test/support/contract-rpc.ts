/** What contract.Client asks a node beside what the stub network knows: the code of a contract. */
import { xdr } from '@stellar/stellar-sdk/base'
import { sha256 } from '../../src/bytes/sha256.ts'
import { STUB_RPC, type StubNetwork } from './stub-network.ts'

const { ScSpecTypeDef, ScSpecEntry } = xdr

/** `release(to: Address, amount: i128) -> u32`. */
const RELEASE = ScSpecEntry.scSpecEntryFunctionV0(
  new xdr.ScSpecFunctionV0({
    doc: '',
    name: 'release',
    inputs: [
      new xdr.ScSpecFunctionInputV0({ doc: '', name: 'to', type: ScSpecTypeDef.scSpecTypeAddress() }),
      new xdr.ScSpecFunctionInputV0({ doc: '', name: 'amount', type: ScSpecTypeDef.scSpecTypeI128() }),
    ],
    outputs: [ScSpecTypeDef.scSpecTypeU32()],
  }),
)

/** The smallest module there is, with what a contract says of itself in a custom section. */
function wasmOf(spec: Uint8Array): Uint8Array {
  const name = new TextEncoder().encode('contractspecv0')
  const section = Uint8Array.of(name.length, ...name, ...spec)
  return Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 0, ...leb128(section.length), ...section)
}

function leb128(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb128(value >> 7)]
}

const WASM = wasmOf(RELEASE.toXdr())
const HASH = sha256(WASM)

/** Soroban RPC over the stub network, for SDKs. */
export function contractRpc(stub: StubNetwork): (request: Request) => Promise<Response> {
  const entryFor = (key: xdr.LedgerKey): xdr.LedgerEntryData | undefined => {
    if (key.type === 'contractCode') return codeEntry()
    return key.type === 'contractData' ? instanceEntry(key.contractData.contract) : undefined
  }
  return async request => {
    const body = await request.text()
    const { id, method, params } = JSON.parse(body) as { id: number; method: string; params?: { keys?: string[] } }
    const tell = (result: object) => Response.json({ jsonrpc: '2.0', id, result })
    const [key = ''] = params?.keys ?? []
    const entry = method === 'getLedgerEntries' ? entryFor(xdr.LedgerKey.fromXdr(key, 'base64')) : undefined
    if (entry === undefined) return stub.fetch(STUB_RPC, { method: 'POST', body })
    const found = { key, xdr: entry.toXdr('base64'), lastModifiedLedgerSeq: 7 }
    return tell({ entries: [found], latestLedger: stub.sequence })
  }
}

const codeEntry = () =>
  xdr.LedgerEntryData.contractCode(
    new xdr.ContractCodeEntry({ ext: xdr.ContractCodeEntryExt.v0(), hash: HASH, code: WASM }),
  )

const instanceEntry = (contract: xdr.ScAddress) =>
  xdr.LedgerEntryData.contractData(
    new xdr.ContractDataEntry({
      ext: xdr.ExtensionPoint.v0(),
      contract,
      key: xdr.ScVal.scvLedgerKeyContractInstance(),
      durability: xdr.ContractDataDurability.persistent,
      val: xdr.ScVal.scvContractInstance(
        new xdr.ScContractInstance({
          executable: xdr.ContractExecutable.contractExecutableWasm(HASH),
          storage: null,
        }),
      ),
    }),
  )
