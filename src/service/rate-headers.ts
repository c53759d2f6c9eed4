/** For the HTTP edges, which know the service and not the rooms behind it. */
export { rateHeaders } from '../access/admission.ts'
