import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { inRoot } from '../support/paths.mjs';
import { run, StepError } from '../support/step.mjs';
import { searchPath } from '../system-tools.mjs';

/*
 * The host `dev` that samples are made on, inside namespaces of its own: a LAN on eth0, whose other
 * end is a namespace with the router (192.168.1.1) and a colleague (192.168.1.50).
 */

/** npm puts programs of packages first, and one of them is called nft too. */
export const env = {
  ...process.env,
  PATH: ['/usr/sbin', '/sbin', searchPath].join(delimiter),
  NO_COLOR: '1',
};

const hostMac = '02:00:00:00:00:17';

const network = `
  sysctl -q net.ipv6.conf.default.accept_dad=0
  ip link set lo up
  ip link add eth0 address ${hostMac} type veth peer name lan address 02:00:00:00:00:01 netns PEER
  ip addr add 192.168.1.23/24 dev eth0
  ip addr add 2001:db8:1::23/64 dev eth0 nodad
  ip link set eth0 up
`;
// Neighbours are pinned, so that what is tried fails by what is shown and nothing else.
const peers = `
  sysctl -q net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.lan.accept_dad=0
  ip addr add 192.168.1.1/24 dev lan
  ip addr add 192.168.1.50/24 dev lan
  ip addr add 2001:db8:1::1/64 dev lan nodad
  ip addr add 2001:db8:1::50/64 dev lan nodad
  ip link set lan up
  ip neigh replace 192.168.1.23 lladdr ${hostMac} dev lan nud permanent
  ip neigh replace 2001:db8:1::23 lladdr ${hostMac} dev lan nud permanent
`;
const defaultRoutes = `
  ip route add default via 192.168.1.1
  ip -6 route add default via 2001:db8:1::1 dev eth0
`;

/**
 * @typedef {object} Server a program as the process table shows it
 * @property {number} pid
 * @property {string} name
 * @property {string[]} [args]
 * @property {unknown[]} [tcp] the arguments of Node's server.listen()
 * @property {unknown[]} [udp] the arguments of Node's socket.bind(); it answers what it gets
 * @property {[number, string]} [connected] the peer that the UDP socket is connected to
 * @property {string} [python] a program, for what Node cannot do: it prints `up`
 */

/**
 * A packet's question, for a real attempt and for earshot's verdict on it.
 * @typedef {object} Attempt
 * @property {'tcp' | 'udp'} [protocol] default tcp
 * @property {'colleague' | 'host'} [by] who asks; default the colleague
 * @property {string} [from] the source address
 * @property {string} to
 * @property {number} port
 * @property {number} [patience] how long silence is waited for, in ms
 * @property {string} [in] the interface on which it arrives, where that must be said
 */

/** @param {string} text */
export const lines = (text) =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');

export class Host {
  /** @type {import('node:child_process').ChildProcess[]} */
  #children = [];
  #directory = mkdtempSync(join(tmpdir(), 'earshot-samples-'));
  #peer = 0;

  /**
   * Makes the host in this process's namespaces, which must be its own.
   * @param {{ routes: boolean }} options with a default route or without
   */
  async make({ routes }) {
    writeFileSync('/proc/sys/kernel/hostname', 'dev');
    await this.#makePeer();
    await this.sh(network);
    await this.peerSh(peers);
    if (routes) await this.sh(defaultRoutes);
  }

  async close() {
    for (const child of this.#children) {
      child.kill('SIGCONT');
      child.kill();
    }
    rmSync(this.#directory, { recursive: true });
  }

  async #makePeer() {
    const own = readlinkSync('/proc/self/ns/net');
    const child = spawn('unshare', ['--net', 'sleep', '120'], { env, stdio: 'ignore' });
    this.#children.push(child);
    this.#peer = child.pid ?? 0;
    for (let tries = 0; readlinkSync(`/proc/${child.pid}/ns/net`) === own; tries += 1) {
      // unshare has ended where it is refused; else it takes as long as a busy machine lets it.
      if (child.exitCode !== null || tries > 3000)
        throw new StepError('no second network namespace was made', 'run as root');
      await wait(10);
    }
  }

  /** @param {string} commands a line each, run on the host; PEER is the other namespace's process */
  async sh(commands) {
    const text = lines(commands).join('\n').replaceAll('PEER', String(this.#peer));
    if (text !== '') await ok('sh', ['-ec', text]);
  }

  /** @param {string} commands a line each, run where the router and the colleague are */
  async peerSh(commands) {
    const text = lines(commands).join('\n');
    if (text !== '') await ok('nsenter', [...this.#enter, 'sh', '-ec', text]);
  }

  get #enter() {
    return ['--net', `--target=${this.#peer}`];
  }

  /** Waits until duplicate detection is over: until then addresses do not answer. */
  async settled() {
    for (let tries = 0; ; tries += 1) {
      const { output } = await run('ip', ['-6', '-o', 'addr', 'show', 'tentative'], { env });
      if (lines(output).every((line) => line.includes('dadfailed'))) return;
      if (tries > 100) throw new StepError('an address stays tentative', `see: ${output}`);
      await wait(100);
    }
  }

  /**
   * Keeps a file for as long as there is the host: the directory it is in.
   * @param {string} name
   * @param {string} text
   */
  keep(name, text) {
    writeFileSync(join(this.#directory, name), text);
    return this.#directory;
  }

  /**
   * Runs the command as the sample shows it.
   * @param {string[]} args
   * @param {{ powerless?: boolean, fails?: boolean, cwd?: string | undefined, colour?: boolean }}
   *   [options] without root's capabilities; the command is to refuse; where it is run; in colour
   */
  async earshot(args, { powerless = false, fails = false, cwd, colour = false } = {}) {
    const command = [process.execPath, inRoot('dist/earshot.js'), ...args];
    const drop = ['setpriv', '--inh-caps=-all', '--bounding-set=-all'];
    const [program = '', ...rest] = powerless ? [...drop, ...command] : command;
    const { status, output } = await run(program, rest, {
      env: { ...env, COLUMNS: '80', FORCE_COLOR: colour ? '1' : '0' },
      ...(cwd === undefined ? {} : { cwd }),
    });
    if ((status === 2) === fails) return output;
    throw new StepError(`earshot ${args.join(' ')} ended with ${status}`, 'see above', output);
  }

  /**
   * Really asks: `connected`, or the error that the program sees.
   * @param {Attempt} attempt
   */
  async attempt(attempt) {
    const args = [inRoot('scripts/docs/attempt.mjs'), ...attemptWords(attempt)];
    const { output } =
      attempt.by === 'host'
        ? await run(process.execPath, args, { env })
        : await run('nsenter', [...this.#enter, process.execPath, ...args], { env });
    return output.trim();
  }

  /**
   * The colleague connects and stays connected.
   * @param {Attempt} attempt
   */
  async hold(attempt) {
    const args = [inRoot('scripts/docs/attempt.mjs'), ...attemptWords(attempt), 'hold'];
    const child = spawn('nsenter', [...this.#enter, process.execPath, ...args], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#children.push(child);
    await once(/** @type {import('node:stream').Readable} */ (child.stdout), 'data');
  }

  /**
   * A server under its name, with the process id that the sample is to show: the same each time.
   * @param {Server} server
   */
  async serve(server) {
    const { pid, name, args = [] } = server;
    const program = join(this.#directory, name);
    symlinkSync(server.python ? await pythonPath() : process.execPath, program);
    const work = join(this.#directory, `${name}.work`);
    writeFileSync(work, server.python ?? workOf(server));
    const [script] = args;
    if (script !== undefined) {
      mkdirSync(join(this.#directory, dirname(script)), { recursive: true });
      writeFileSync(join(this.#directory, script), '');
    }
    for (let tries = 0; tries < 50; tries += 1) {
      writeFileSync('/proc/sys/kernel/ns_last_pid', String(pid - 1));
      const child = spawn(program, server.python ? [work] : args, {
        argv0: name,
        cwd: this.#directory,
        env: server.python ? {} : { NODE_OPTIONS: `--require=${work}` },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      this.#children.push(child);
      if (child.pid === pid) {
        await once(/** @type {import('node:stream').Readable} */ (child.stdout), 'data');
        return;
      }
      // A thread started meanwhile and took the number.
      child.kill();
      await once(child, 'exit');
    }
    throw new StepError(`no process got the id ${pid}`, 'try again on a less busy machine');
  }
}

/** @param {Server} server what Node is to do under that name */
function workOf({ tcp, udp, connected }) {
  const begin = tcp
    ? `const server = require('node:net').createServer();
       server.on('listening', () => console.log('up'));
       const start = () => server.listen(...${JSON.stringify(tcp)});`
    : `const socket = require('node:dgram').createSocket({ type: 'udp4', reuseAddr: true });
       socket.on('message', (text, { port, address }) => socket.send(text, port, address));
       const up = () => console.log('up');
       const start = () => socket.bind(...${JSON.stringify(udp)}, () => ${
         connected ? `socket.connect(...${JSON.stringify(connected)}, up)` : 'up()'
       });`;
  // Threads take process ids too: all have started, by the first use of libuv's, when it says 'up'.
  return `${begin}\nrequire('node:fs').stat('/', start);`;
}

/** The interpreter itself: a wrapper would not take another name. */
async function pythonPath() {
  const { output } = await run(
    'python3',
    ['-c', 'import os, sys; print(os.path.realpath(sys.executable))'],
    { env },
  );
  return output.trim();
}

/** @param {Attempt} attempt */
function attemptWords({ protocol = 'tcp', to, port, from, patience = 1500 }) {
  return [protocol, to, String(port), from ?? '', String(patience)];
}

/**
 * @param {string} command
 * @param {string[]} args
 */
async function ok(command, args) {
  const { status, output } = await run(command, args, { env });
  if (status === 0) return;
  throw new StepError(`${command} ${args.join(' ')} failed`, 'see above', output);
}
