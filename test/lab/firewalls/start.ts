import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Namespace } from '../namespaces.js';
import type { Backend } from '../xtables/load.js';

/** A firewall that people run, with its daemons. */
export interface Running {
  /** Runs a line of sh(1) where the firewall runs; one that fails is an error. */
  type(command: string): Promise<void>;
  /** Ends it, and waits until nothing of it is left. */
  close(): Promise<void>;
}

/**
 * Files that it writes are its own, in memory, and gone with it. Where iptables(8) is to be the
 * legacy one, that takes the place of the other.
 */
const preamble = `
set -e
D=$1
mount -t tmpfs tmpfs "$D"
mount -t tmpfs tmpfs /run
own() { mkdir -p "$D/own$1"; cp -a "$1/." "$D/own$1/"; mount --bind "$D/own$1" "$1"; }
until_true() {
  tries=0
  until "$@" > /dev/null 2>&1; do
    tries=$((tries + 1))
    if [ $tries -gt 300 ]; then echo "never true: $*"; tail -n 20 "$D/log"; exit 1; fi
    sleep 0.1
  done
}
if [ "$2" = legacy ]; then mount --bind /usr/sbin/xtables-legacy-multi /usr/sbin/xtables-nft-multi; fi
`;

/** Lines are run as they come, until an empty one. */
const typed = `
while read -r line && [ -n "$line" ]; do
  if eval "$line" >&2; then echo done; else echo failed; fi
done
`;

/** Starts it in the namespace of a host, by a script of sh(1) that ends when it runs; `stop` ends it. */
export async function startFirewall(
  host: Namespace,
  backend: Backend,
  script: string,
  stop = '',
): Promise<Running> {
  const directory = mkdtempSync(join(tmpdir(), 'earshot-firewall-'));
  const all = `${preamble}\n{ ${script}\n} >&2\necho ready\n${typed}\n{ ${stop}\n} >&2 || true\n`;
  const inside = ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const child = spawn(
    'nsenter',
    [`--net=${host.path}`, ...inside, 'sh', '-c', all, 'sh', directory, backend],
    { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, PATH: searchPath } },
  );
  let said = '';
  child.stderr.on('data', (chunk) => {
    said += String(chunk);
  });
  const ended = once(child, 'close');
  const close = async () => {
    child.stdin.end('\n');
    await ended;
    rmSync(directory, { recursive: true, force: true });
  };
  const answers = createInterface({ input: child.stdout });
  const answer = async (): Promise<string> => {
    const [line] = await Promise.race([once(answers, 'line'), ended.then(() => [''])]);
    return String(line);
  };
  const type = async (command: string) => {
    const answered = answer();
    child.stdin.write(`${command}\n`);
    if ((await answered) !== 'done') throw new Error(`'${command}' failed:\n${said}`);
  };
  if ((await answer()) === 'ready') return { type, close };
  await close();
  throw new Error(`the firewall did not start:\n${said}`);
}

const searchPath = '/usr/sbin:/usr/bin:/sbin:/bin';
