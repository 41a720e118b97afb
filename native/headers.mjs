import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/*
 * What node-gyp asks of an installation of Node, made of the npm package node-api-headers: nothing is
 * downloaded from elsewhere, and what is built does not depend on which Node builds it.
 */

const common = `{
  'target_defaults': {
    'default_configuration': 'Release',
    'cflags': ['-pthread'],
    'ldflags': ['-pthread'],
    'configurations': { 'Release': { 'cflags': ['-O2'], 'defines': ['NDEBUG'] } },
  }
}
`;

/**
 * Lays it out in a directory, which is then node-gyp's `nodedir`.
 * @param {string} directory
 * @param {string} headers the include directory of node-api-headers
 */
export function layHeaders(directory, headers) {
  const include = join(directory, 'include', 'node');
  mkdirSync(include, { recursive: true });
  cpSync(headers, include, { recursive: true });
  writeFileSync(join(include, 'common.gypi'), common);
  writeFileSync(join(include, 'config.gypi'), '{}\n');
}
