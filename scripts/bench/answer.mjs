// Asks one thing in process, again for each line of standard input: `answer.mjs WHAT PORT`. Each
// answer is a line "MILLISECONDS COUNT PEAK_KIB".
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { inRoot } from '../support/paths.mjs';

const [what = '', portText] = process.argv.slice(2);
const port = Number(portText);
const installed = createRequire(inRoot('build/bench-packages/package.json'));
/** @param {string} name @returns {Promise<any>} */
const competitor = (name) => import(installed.resolve(name));
/** @returns {Promise<typeof import('../../lib/index.js')>} */
const earshot = () => import(new URL('../../dist/index.js', import.meta.url).href);

/** For each question the function that answers it with how much there was. @type {Record<string, () => Promise<() => number | Promise<number>>>} */
const answers = {
  async columns() {
    const { socketTable } = await earshot();
    return async () => (await socketTable({ protocol: 'tcp' })).length;
  },
  async records() {
    const { sockets } = await earshot();
    return async () => (await sockets({ protocol: 'tcp' })).length;
  },
  async listeners() {
    const { listenersSync } = await earshot();
    return () => listenersSync({ protocol: 'tcp' }, { owners: false }).length;
  },
  async port() {
    const { listeners } = await earshot();
    return async () => {
      const found = await listeners({ protocol: 'tcp', localPort: port }, { owners: 'one' });
      return found.flatMap(({ owners }) => owners ?? []).length;
    };
  },
  async owners() {
    const { socketTable } = await earshot();
    return async () => (await socketTable({ protocol: 'tcp' }, { owners: true })).length;
  },
  async systeminformation() {
    const { default: system } = await competitor('systeminformation');
    return async () => (await system.networkConnections()).length;
  },
  async 'node-netstat'() {
    const { default: netstat } = await competitor('node-netstat');
    return () =>
      new Promise((resolve, reject) => {
        let count = 0;
        const done = (/** @type {Error | null} */ error) =>
          error ? reject(error) : resolve(count);
        netstat({ done }, () => {
          count++;
        });
      });
  },
  async procfs() {
    const { procfs } = await competitor('@stroncium/procfs');
    return () => procfs.netTcp4().length + procfs.netTcp6().length;
  },
  async 'pid-port'() {
    const { portToPid } = await competitor('pid-port');
    return async () => ((await portToPid(port)) === undefined ? 0 : 1);
  },
  async 'find-process'() {
    const { default: found } = await competitor('find-process');
    const find = found.default ?? found;
    return async () => (await find('port', port)).length;
  },
};

const prepare = answers[what];
if (!prepare)
  throw new Error(`'${what}' is no question: there are ${Object.keys(answers).join(', ')}`);
const answer = await prepare();
for await (const _ of createInterface({ input: process.stdin })) {
  const start = process.hrtime.bigint();
  const count = await answer();
  const took = Number(process.hrtime.bigint() - start) / 1e6;
  process.stdout.write(`${took.toFixed(4)} ${count} ${process.resourceUsage().maxRSS}\n`);
}
