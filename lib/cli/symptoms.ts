import type { Symptom } from '../reach/verdict.js';

/** The errors that --sees takes, as Node names them. */
export const symptoms = [
  'ECONNREFUSED',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EACCES',
  'EPERM',
  'EINVAL',
  'EADDRNOTAVAIL',
  'ENOPROTOOPT',
  'ECONNRESET',
] as const satisfies readonly Symptom[];
