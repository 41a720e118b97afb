import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { repositoryRoot } from '../support/repository.js';

/** Runs the import check on a tree of these files. */
function check(t: ExecutionContext, files: Record<string, string>) {
  const tree = mkdtempSync(join(tmpdir(), 'earshot-imports-'));
  t.teardown(() => rmSync(tree, { recursive: true }));
  const tsconfig = {
    compilerOptions: { module: 'NodeNext', target: 'ES2022', types: [] },
    include: ['**/*.ts'],
  };
  const all = { 'lib/tsconfig.json': JSON.stringify(tsconfig), 'lib/index.ts': '', ...files };
  for (const [path, text] of Object.entries(all)) {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    writeFileSync(join(tree, path), text);
  }
  const script = join(repositoryRoot, 'scripts', 'check-imports.mjs');
  return spawnSync(process.execPath, [script, tree], { encoding: 'utf8' });
}

const good: Record<string, string> = {
  'lib/errors.ts': 'export class EarshotError {}',
  'lib/addon.ts':
    "import 'node:fs';\nimport 'node-gyp-build';\nimport './errors.js';\nexport const addon = 1;",
  'lib/addon-error.ts': "import './errors.js';\nexport const translate = 1;",
  'lib/native.ts': "import './addon.js';\nimport './addon-error.js';\nexport const native = 1;",
  'lib/model/address.ts': "import 'ipaddr.js';\nexport type Address = string;",
  'lib/kernel/links.ts': "import { native } from '../native.js';\nexport const links = native;",
  'lib/reach/trace.ts':
    "import type { Address } from '../model/address.js';\nexport type T = Address;",
  'lib/watch/watch.ts':
    "import '../kernel/links.js';\nimport '../reach/trace.js';\nimport '../native.js';\nexport {};",
  'lib/cli/main.ts':
    "import '../watch/watch.js';\nimport 'commander';\nimport './render/table.js';",
  'lib/cli/render/table.ts': "import '../main.js';",
  'lib/index.ts': "export * from './kernel/links.js';\nexport type * from './reach/trace.js';",
  'native/addon.cc': '#include <napi.h>\n#include "binding/sockets.h"',
  'native/binding/sockets.h': '#include <napi.h>\n#include "../sockets/table.h"',
  'native/sockets/table.h': '#include "../netlink/socket.h"',
  'native/netlink/socket.h': '#include <vector>\n#include "message.h"',
  'native/netlink/message.h': '',
};

test('a tree that follows the architecture passes', (t) => {
  const { status, stderr } = check(t, good);
  t.is(stderr, '');
  t.is(status, 0);
});

const wrong: { title: string; file: string; text: string; says: string }[] = [
  {
    title: 'model imports kernel',
    file: 'lib/model/state.ts',
    text: "import { links } from '../kernel/links.js';\nexport const l = links;",
    says: 'lib/model/state.ts imports ../kernel/links.js: model may import errors, ipaddr.js',
  },
  {
    title: 'model imports a module of Node',
    file: 'lib/model/file.ts',
    text: "import fs from 'node:fs';\nexport const f = fs;",
    says: 'lib/model/file.ts imports node:fs: model may import errors, ipaddr.js',
  },
  {
    title: 'reach imports kernel, and only its types',
    file: 'lib/reach/bind.ts',
    text: "import type { links } from '../kernel/links.js';\nexport type L = typeof links;",
    says: 'lib/reach/bind.ts imports ../kernel/links.js: reach may import model, errors, ipaddr.js',
  },
  {
    title: 'reach imports native when it runs',
    file: 'lib/reach/later.ts',
    text: "export const load = () => import(/* now */ '../native.js');",
    says: 'lib/reach/later.ts imports ../native.js: reach may import model, errors, ipaddr.js',
  },
  {
    title: 'reach imports kernel inside a type',
    file: 'lib/reach/shape.ts',
    text: "export type L = typeof import('../kernel/links.js').links;",
    says: 'lib/reach/shape.ts imports ../kernel/links.js: reach may import model, errors, ipaddr.js',
  },
  {
    title: 'kernel re-exports reach',
    file: 'lib/kernel/all.ts',
    text: "export * from '../reach/trace.js';",
    says: 'lib/kernel/all.ts imports ../reach/trace.js: kernel may import model, native',
  },
  {
    title: 'the command imports native',
    file: 'lib/cli/table.ts',
    text: "import { native } from '../native.js';\nexport const n = native;",
    says: 'lib/cli/table.ts imports ../native.js: cli may import watch',
  },
  {
    title: 'the command imports the index',
    file: 'lib/cli/all.ts',
    text: "import '../index.js';",
    says: 'lib/cli/all.ts imports ../index.js: cli may import watch',
  },
  {
    title: 'the index imports native',
    file: 'lib/index.ts',
    text: "export * from './native.js';",
    says: 'lib/index.ts imports ./native.js: index may import',
  },
  {
    title: 'kernel imports a package that is not a dependency',
    file: 'lib/kernel/table.ts',
    text: "import 'commander';",
    says: 'lib/kernel/table.ts imports commander',
  },
  {
    title: 'a directory that the architecture does not name imports model',
    file: 'lib/helpers/all.ts',
    text: "import '../model/address.js';",
    says: 'lib/helpers/all.ts imports ../model/address.js: helpers is no part that the architecture names',
  },
  {
    title: 'a reader in C++ includes napi.h',
    file: 'native/sockets/diag.cc',
    text: '#include <napi.h>',
    says: 'native/sockets/diag.cc includes napi.h: only native/binding and native/addon.cc',
  },
  {
    title: 'a reader in C++ includes the binding',
    file: 'native/sockets/filter.cc',
    text: '#  include "binding/sockets.h"',
    says: 'native/sockets/filter.cc includes binding/sockets.h: only native/addon.cc builds on',
  },
  {
    title: 'netlink includes sockets',
    file: 'native/netlink/dump.cc',
    text: '#include "../sockets/table.h"',
    says: 'native/netlink/dump.cc includes ../sockets/table.h: netlink is below',
  },
];

test('an import the wrong way is caught, however it is written', (t) => {
  const spoiled = Object.fromEntries(wrong.map(({ file, text }) => [file, text]));
  const { status, stderr } = check(t, { ...good, ...spoiled });
  t.is(status, 1);
  for (const { title, says } of wrong) t.true(stderr.includes(says), `${title}:\n${stderr}`);
  t.true(stderr.includes(`${wrong.length} imports go the wrong way`), stderr);
});

test('a tree in which no import is found is not taken for a good one', (t) => {
  const { status, stderr } = check(t, {});
  t.is(status, 1);
  t.true(stderr.includes('found no import at all'), stderr);
});
