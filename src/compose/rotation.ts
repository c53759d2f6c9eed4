import type { RotationRoom } from '../cli/context.ts'
import type { NetworkSettings } from '../config/transactions.ts'
import { SignerError } from '../domain/errors.ts'
import type { World } from '../domain/ports.ts'
import { beginRotation, rotationStatus, rotationStep, signerPair, signerTransaction } from '../service/rotate/index.ts'
import { provenPair, surveySweep } from '../service/sweep/index.ts'
import { readAccountFile, type ReadAccount } from './account-state.ts'
import { evmNetwork } from './evm-networks.ts'
import { registerDeps } from './keys.ts'
import { openRoom, type RoomSettings } from './room.ts'
import { openNetworks } from './stellar-networks.ts'

const NETWORK_MS = 15_000
/** Thousands of questions. */
const SWEEP_MS = 600_000

export interface RotationSettings extends RoomSettings {
  readonly networks: Readonly<Record<string, NetworkSettings>>
}

/** Rotations for whoever owns the machine, one command at a time. */
export async function openRotationRoom(settings: RotationSettings, world: World): Promise<RotationRoom> {
  const room = await openRoom(settings, world)
  const deps = registerDeps(room, world, settings.environment)
  const { registry } = deps

  /** @throws `config/invalid` where no endpoint is configured */
  const ask = async (network: string, address: string): Promise<ReadAccount | undefined> => {
    const node = openNetworks(settings.networks, world).get(network)
    if (node === undefined) {
      const problem = 'names no endpoint, and no --account-state is given'
      const fix = `Add [networks.${network}] with rpc or horizon, or give the state of the account in a file`
      throw new SignerError('config/invalid', { problems: [{ path: `networks.${network}`, problem, fix }] })
    }
    const account = await node.account(address, AbortSignal.timeout(NETWORK_MS))
    return account === undefined ? undefined : { account }
  }

  return {
    status: name => rotationStatus(registry, name),
    begin: async (name, wish) => {
      await beginRotation(deps, name, wish)
      return { changed: true, ...(await rotationStatus(registry, name)) }
    },
    step: async (name, step, wish) => {
      const { changed } = await rotationStep(deps, name, step, wish)
      return { changed, ...(await rotationStatus(registry, name)) }
    },
    signers: async (name, { step, account, state, ...frame }) => {
      const pair = await signerPair(registry, name, { anyAccount: account !== undefined })
      const address = account ?? pair.account
      const found = state === undefined ? await ask(pair.network, address) : readAccountFile(state, pair.network)
      if (found !== undefined && account !== undefined && found.account.address !== account) {
        const reason = `is ${account}, and the file holds ${found.account.address.slice(0, 60)}`
        throw new SignerError('request/malformed', {
          field: '--account',
          reason,
          fix: 'give the state of that account',
        })
      }
      const free = found?.free === undefined ? {} : { free: found.free }
      return signerTransaction(pair, { step, account: found?.account, ...free, ...frame }, world.clock)
    },
    sweep: async (name, wish) => {
      const pair = await provenPair(deps, name)
      const network = evmNetwork(pair.network, settings.networks[pair.network], world)
      return surveySweep(pair, network, wish, AbortSignal.timeout(SWEEP_MS))
    },
    close: room.close,
  }
}
