import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type Namespace, SYSTEM_ENVIRONMENT } from './namespace.js';

const script = fileURLToPath(
  new URL('../../../../test/kernel/support/many-sockets.py', import.meta.url),
);

/** Sockets in every state inside a namespace, held by processes that end with `close()`. */
export interface Crowd {
  seed: number;
  close(): void;
}

/** Opens the sockets of many-sockets.py; the seed decides which. */
export async function openCrowd(
  here: Namespace,
  neighbour: Namespace,
  pairs: number,
): Promise<Crowd> {
  here.ip(
    `link set lo up
     link add lan0 type veth peer name far0 netns $1
     link set lan0 up
     address add 192.0.2.1/24 dev lan0
     address add 2001:db8::1/64 dev lan0 nodad
     neighbour add 192.0.2.66 lladdr 02:00:00:00:00:66 dev lan0`,
    neighbour,
  );
  neighbour.ip('link set far0 up');
  const seed = Math.floor(Math.random() * 0x7fffffff);
  const child = spawn(
    'ip',
    ['netns', 'exec', here.name, 'python3', script, String(seed), String(pairs)],
    { stdio: ['pipe', 'pipe', 'pipe'], env: SYSTEM_ENVIRONMENT },
  );
  await ready(child);
  return { seed, close: () => child.stdin.end() };
}

async function ready(child: ChildProcess): Promise<void> {
  let complaint = '';
  child.stderr!.on('data', (chunk) => {
    complaint += chunk;
  });
  const ended = once(child, 'exit').then(() => {
    throw new Error(`the sockets could not be opened: ${complaint}`);
  });
  ended.catch(() => {}); // the test may be over by then
  let said = '';
  while (!said.includes('ready')) {
    const [chunk] = (await Promise.race([once(child.stdout!, 'data'), ended])) as [Buffer];
    said += chunk;
  }
}
