import { clientOfPeer, inList, readAddressList } from './addresses.ts'
import type { ConstraintJudges } from './constraints.ts'
import { isOpenAt, type OfficeClock, readHours } from './hours.ts'

/**
 * What tokens need to have judged: address blocks in the form of `readAddressList`, windows in that of `readHours`. A
 * block or window that cannot be read is met by nobody, and no window is met while the clock cannot be believed (T63).
 */
export function createJudges(office: Pick<OfficeClock, 'fault'>): Required<ConstraintJudges> {
  return {
    isBlock: block => readAddressList([block], 'cidrs').problems.length === 0,
    inBlocks: (blocks, peer) => {
      const { list, problems } = readAddressList(blocks, 'cidrs')
      return problems.length === 0 && inList(clientOfPeer(peer), list)
    },
    isWindow: window => readHours(window, 'window').problems.length === 0,
    inWindow: (window, now) => {
      const { hours, problems } = readHours(window, 'window')
      return problems.length === 0 && office.fault() === undefined && isOpenAt(hours, now)
    },
  }
}
