export const FACE_NAMES = ['aws', 'vault', 'gcp'] as const
export type FaceName = (typeof FACE_NAMES)[number]
