import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';

/** The texts lie beside the sources, not beside the compiled tests. */
const directory = fileURLToPath(new URL('../../../test/cli/golden/', import.meta.url));

/** With REFRESH_GOLDEN=1 the texts are written anew instead of compared: read the difference then. */
const refresh = globalThis.process.env.REFRESH_GOLDEN === '1';

/** Holds a text against the one that was looked at and found good. */
export function sameAsGolden(t: ExecutionContext, name: string, text: string): void {
  const file = `${directory}${name}.txt`;
  if (refresh) writeFileSync(file, text);
  t.is(text, readFileSync(file, 'utf8'));
}
