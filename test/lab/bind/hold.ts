import { capture } from '#earshot/kernel/capture.js';
import type { BindCheck, BindSpec } from '#earshot/reach/bind.js';
import { checkBind } from '#earshot/reach/bind.js';
import type { Random } from '../random/random.js';
import { type ListenerSpec, tryBinds } from '../sockets.js';
import { addresses, devices, oddAddresses, randomSocket, type World } from './world.js';

/** A bind() on which earshot and the kernel differ. */
export interface Disagreement {
  readonly bind: BindSpec;
  /** What the kernel said; `null` for yes. */
  readonly kernel: string | null;
  readonly earshot: Pick<BindCheck, 'ok' | 'error' | 'explanation'>;
  readonly there: readonly string[];
}

/** What one world gave. */
export interface Held {
  readonly tried: number;
  readonly disagreements: readonly Disagreement[];
  /** How often the kernel said what, `ok` for yes. */
  readonly answers: ReadonlyMap<string, number>;
  /** How often what was left open, by why. */
  readonly unknown: ReadonlyMap<string, number>;
}

/** Really tries random binds, one at a time, and holds what earshot says of the capture against them. */
export async function holdBinds(world: World, random: Random, count: number): Promise<Held> {
  const state = await capture({ netns: world.namespace.path, socketOptions: true });
  const questions = Array.from({ length: count }, () => question(random));
  const kernel = tryBinds(
    world.namespace,
    questions.map(({ trial }) => trial),
  );
  const disagreements: Disagreement[] = [];
  const answers = new Map<string, number>();
  const unknown = new Map<string, number>();
  for (const [index, { bind }] of questions.entries()) {
    const said = kernel[index]!;
    count1(answers, said ?? 'ok');
    const check = checkBind(state, bind);
    if (check.unknown) {
      count1(unknown, check.unknown.what.slice(0, 60));
      continue;
    }
    const { ok, error, explanation } = check;
    if (ok === (said === null) && error === said) continue;
    const there = state.sockets
      .filter(({ local, protocol }) => local.port === bind.port && protocol === bind.protocol)
      .map((socket) => JSON.stringify(socket))
      .concat(
        (state.held ?? [])
          .filter(({ ports }) => bind.protocol === 'tcp' && ports.includes(bind.port))
          .map((held) => JSON.stringify(held)),
      );
    disagreements.push({ bind, kernel: said, earshot: { ok, error, explanation }, there });
  }
  return { tried: count, disagreements, answers, unknown };
}

export function count1(map: Map<string, number>, key: string, more = 1): void {
  map.set(key, (map.get(key) ?? 0) + more);
}

function question(random: Random): { bind: BindSpec; trial: ListenerSpec } {
  const from = random.chance(0.1) ? oddAddresses : addresses;
  const { listen: _, connectedTo: __, ...trial } = randomSocket(random, from);
  if (random.chance(0.05)) trial.port = 0;
  if (trial.device !== undefined && random.chance(0.1)) trial.device = 'gone9';
  if (random.chance(0.05)) trial.device = random.pick(devices);
  const unprivileged = random.chance(0.15);
  const { protocol, address, port, reuseAddress, reusePort, device, v6only, uid } = trial;
  const bind: BindSpec = {
    protocol,
    address,
    port: port ?? 0,
    ...(reuseAddress === undefined ? {} : { reuseAddress }),
    ...(reusePort === undefined ? {} : { reusePort }),
    ...(device === undefined ? {} : { boundInterface: device }),
    ...(v6only === undefined ? {} : { v6only }),
    ...(uid === undefined ? {} : { uid }),
    privileged: !unprivileged,
  };
  return { bind, trial: { ...trial, unprivileged } };
}
