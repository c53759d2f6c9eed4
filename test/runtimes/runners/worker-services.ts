/** What workerd runs, bundled: the providers by their entries for the edge, behind one request. */
import { wasmFromBytes, world } from '../../../src/runtime/workerd.ts'
import type { ServicesReport } from '../report.ts'
import { edge } from '../services/edge.ts'
import type { Places } from '../services/places.ts'
import { runNowhere, runOtherWire, runServices } from '../services/suite.ts'

export default {
  async fetch(_request: Request, { places }: { readonly places: Places }): Promise<Response> {
    const reach = { capability: { wasmFromBytes }, world: world(), openers: edge, places }
    const result: ServicesReport = {
      runtime: 'workerd',
      edge: await runServices(reach),
      nowhere: await runNowhere(reach),
      sdk: await runOtherWire('aws-kms', { ...reach, wires: { 'aws-kms': 'sdk' } }),
    }
    return Response.json(result)
  },
}
