import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import { type Namespace, namespaceFor, SYSTEM_ENVIRONMENT } from './namespace.js';

const script = fileURLToPath(
  new URL('../../../../test/kernel/support/told-sockets.py', import.meta.url),
);

/** What a socket says of itself by getsockopt(2). */
export interface SelfTold {
  port: number;
  inode: number;
  /** TCP_INFO; `null` for UDP. */
  info: Uint8Array | null;
  /** SO_MEMINFO. */
  memory: Uint8Array;
  /** TCP_CONGESTION. */
  algorithm: string | null;
}

/** Sockets of which there is much to tell, in a namespace that goes when the test ends. */
export interface ToldSockets {
  here: Namespace;
  ask(): Promise<Record<string, SelfTold>>;
}

export async function toldSockets(t: ExecutionContext): Promise<ToldSockets> {
  const [here, far] = [namespaceFor(t), namespaceFor(t)];
  here.ip(
    `link set lo up
     link add lan0 type veth peer name far0 netns $1
     link set lan0 up
     address add 192.0.2.1/24 dev lan0
     neighbour add 192.0.2.66 lladdr 02:00:00:00:00:66 dev lan0`,
    far,
  );
  far.ip('link set far0 up');
  const child = spawn('ip', ['netns', 'exec', here.name, 'python3', script], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: SYSTEM_ENVIRONMENT,
  });
  const ended = once(child, 'close');
  t.teardown(async () => {
    child.stdin.end();
    await ended;
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const said = await lines.next();
  if (said.value !== 'ready') throw new Error('the sockets could not be opened');
  return {
    here,
    async ask() {
      child.stdin.write('\n');
      const { value } = await lines.next();
      const bytes = (text: string) => Uint8Array.from(Buffer.from(text, 'hex'));
      const told: Record<string, SelfTold & { info: string | null; memory: string }> = JSON.parse(
        String(value),
      );
      return Object.fromEntries(
        Object.entries(told).map(([name, { info, memory, ...rest }]) => [
          name,
          { ...rest, info: info === null ? null : bytes(info), memory: bytes(memory) },
        ]),
      );
    },
  };
}
