import type { EarshotError } from '../errors.js';

/**
 * Whether the library threw it. Told by the name, which is always this: the library, bundled apart from
 * the command, is not loaded where no error of it can be, and has the only class.
 */
export function isEarshotError(error: unknown): error is EarshotError {
  return error instanceof Error && error.name === 'EarshotError';
}
