import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EarshotError } from './errors.js';

let addon: object | undefined;

/** Loads the addon on first need, so that importing earshot works on every platform. */
export function loadAddon(): object {
  if (addon) return addon;
  if (process.platform !== 'linux') {
    throw new EarshotError(
      'ERR_UNSUPPORTED_PLATFORM',
      `earshot reads the Linux kernel and this is ${process.platform}: make a capture on the Linux host ` +
        "with 'earshot capture' and evaluate it here with trace() from 'earshot/reach'",
    );
  }
  const root = packageRoot();
  try {
    // Not before it is needed: importing earshot is to cost next to nothing.
    const load = createRequire(import.meta.url)('node-gyp-build') as (directory: string) => object;
    addon = load(root);
  } catch (cause) {
    throw new EarshotError('ERR_NO_BINARY', whyNotLoaded(root, cause), undefined, cause);
  }
  return addon;
}

function whyNotLoaded(root: string, cause: unknown): string {
  if ((cause as NodeJS.ErrnoException | null)?.code === 'ERR_DLOPEN_DISABLED') {
    return (
      'this process was started without leave to load addons, and earshot reads the kernel by one: ' +
      'start node with --allow-addons beside --permission, or without --no-addons'
    );
  }
  const why = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
  return (
    `no addon binary for linux-${process.arch} could be loaded from ${join(root, 'prebuilds')} or ` +
    `${join(root, 'build', 'Release')} (${why}): reinstall earshot, or build it from source ` +
    `with 'node ${join(root, 'native', 'build.mjs')}'`
  );
}

function packageRoot(): string {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(directory, 'package.json'))) {
    const parent = dirname(directory);
    if (parent === directory) return dirname(fileURLToPath(import.meta.url));
    directory = parent;
  }
  return directory;
}
