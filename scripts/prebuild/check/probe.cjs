/*
 * Runs in whatever JavaScript runtime a binary is for: `probe.cjs BINARY FIXTURES`. Loads it, has it
 * decode recorded bytes and read the kernel, and prints as JSON what each came to: 'ok', or what was said;
 * the exit status is 1 where that was not 'ok' throughout.
 * Written for any supported runtime, so that it uses nothing of the repository but the fixtures.
 */
const { readFileSync } = require('node:fs');
const { createServer } = require('node:net');
const { join } = require('node:path');
const { isMainThread, parentPort, Worker, workerData } = require('node:worker_threads');

const [binary, fixtures] = isMainThread ? process.argv.slice(2) : workerData;
const addon = require(binary);

/** Throws unless the two are the same. */
function same(found, wanted, what) {
  const [is, should] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (is !== should) throw new Error(`${what} ${is}, not ${should}`);
}

/** Of the columns, which lie in a block one after the other (columnsOf of lib/), those looked at here. */
function columnsOf({ length, block }) {
  const column = (Type, offset) => new Type(block, offset * length, length);
  return {
    length,
    inode: column(Uint32Array, 52),
    mark: column(Uint32Array, 68),
    localPort: column(Uint16Array, 76),
    remotePort: column(Uint16Array, 78),
    state: column(Uint8Array, 82),
  };
}

/** What a kernel once said, in which each row is known. */
function decodesRecordedBytes() {
  const rows = JSON.parse(readFileSync(join(fixtures, 'rows.json'), 'utf8'));
  for (const [protocol, family] of [6, 17].flatMap((one) => [4, 6].map((two) => [one, two]))) {
    const file = `${protocol === 6 ? 'tcp' : 'udp'}${family}.bin`;
    const bytes = new Uint8Array(readFileSync(join(fixtures, file)));
    const columns = columnsOf(addon.decodeSockets(bytes, protocol));
    const facts = ({ state, ports, inode, mark }) => [state, ...ports, inode, mark];
    const found = Array.from({ length: columns.length }, (_, row) => ({
      state: columns.state[row],
      ports: [columns.localPort[row], columns.remotePort[row]],
      inode: columns.inode[row],
      mark: columns.mark[row],
    }));
    const wanted = rows
      .filter((row) => row.protocol === protocol && row.family === family)
      .map(({ state, local, remote, inode, mark }) => ({
        ...{ state, ports: [local[1], remote[1]], inode, mark },
      }));
    const inOrder = (list) => list.map(facts).map(String).sort();
    same(inOrder(found), inOrder(wanted), `${file} has rows`);
    if (found.length === 0) throw new Error(`${file} holds no row`);
  }
}

/** The C++ exception behind it has to find its way through the binary's own unwinder. */
function refusesSpoiledBytes() {
  const bytes = new Uint8Array(readFileSync(join(fixtures, 'tcp4.bin')));
  try {
    addon.decodeSockets(bytes.subarray(0, bytes.length - 7), 6);
  } catch (error) {
    return same(error.operation, 'decode', 'the operation is');
  }
  throw new Error('a message that is cut off was accepted');
}

/** Listening TCP sockets of a port, as lib/native.ts asks for them: the numbers, and the rest. */
const query = (source, port) => [
  Float64Array.of(1 << 10, 0, 3, -1, -1, -1, 0, 0, ['auto', 'netlink', 'procfs'].indexOf(source)),
  {
    ...{ localPorts: Uint16Array.of(port, port), remotePorts: new Uint16Array() },
    ...{ localAddress: null, localPrefixLength: 0, remoteAddress: null, remotePrefixLength: 0 },
    ...{ boundInterface: null, netns: null },
  },
];

/** RTM_GETLINK of all, and the answer's first message is RTM_NEWLINK. */
const links = {
  protocol: 0,
  requests: [{ type: 18, flags: 0x300, payload: new Uint8Array(16) }],
  watchGroups: [],
  netns: null,
};
const isLinks = ({ replies: [reply] }) =>
  same(new DataView(reply.buffer, reply.byteOffset).getUint16(4, true), 16, 'the reply is');

/** A table comes as an array: how many rows, their block, and more. */
const tableOf = ([length, block]) => columnsOf({ length, block });

const own = (port, table) => same([...tableOf(table).localPort], [port], 'the ports found are');

const checks = {
  'decodes recorded bytes': decodesRecordedBytes,
  'refuses spoiled bytes': refusesSpoiledBytes,
  'reads sockets by netlink': (port) => own(port, addon.readSocketsSync(...query('netlink', port))),
  'reads sockets from /proc': (port) => own(port, addon.readSocketsSync(...query('procfs', port))),
  'reads sockets on a thread': async (port) =>
    own(port, await addon.readSockets(...query('procfs', port))),
  'reads links': () => isLinks(addon.netlinkSync(links)),
  'reads links on a thread': async () => isLinks(await addon.netlink(links)),
  'reads files': () => {
    const [bytes, none] = addon.readFilesSync({
      paths: ['/proc/sys/kernel/ostype', '/proc/no/such/file'],
      netns: null,
    });
    same([String.fromCharCode(...bytes), none], ['Linux\n', 2], 'the files hold');
  },
  'finds owners': (port) => {
    const { inode: inodes } = tableOf(addon.readSocketsSync(...query('procfs', port)));
    const found = addon.ownersSync({ inodes, procRoot: '/proc' });
    same([...found.pid], [process.pid], 'the owners are');
  },
  'works in a worker': async () => {
    if (!isMainThread) return;
    const worker = new Worker(__filename, { workerData: [binary, fixtures] });
    const said = await new Promise((resolve, reject) => {
      worker.once('message', resolve).once('error', reject);
    });
    await worker.terminate();
    same(said['decodes recorded bytes'], 'ok', 'decoding came to');
  },
};

const server = createServer().listen(0, '127.0.0.1', async () => {
  const results = {};
  for (const [name, check] of Object.entries(checks)) {
    try {
      await check(server.address().port);
      results[name] = 'ok';
    } catch (error) {
      results[name] = `${error.message ?? error}`;
    }
  }
  server.close();
  if (!isMainThread) return parentPort.postMessage(results);
  process.stdout.write(`${JSON.stringify(results)}\n`);
  if (Object.values(results).some((result) => result !== 'ok')) process.exitCode = 1;
});
