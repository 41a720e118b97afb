import type { HostState } from '#earshot/model/host-state.js';
import type { Flow } from '#earshot/reach/flow.js';
import type { Outcome, Stage, Symptom } from '#earshot/reach/verdict.js';
import {
  asks,
  LAN,
  type LinkChanges,
  lan4,
  lan6,
  lanLink,
  link,
  neighbour4,
  neighbour6,
  onLan,
  route,
  tcp,
} from '../support/state.js';

/* Cases of flows that fail, and the hosts that most of them need. */

export interface Case {
  /** A statement about Linux. */
  says: string;
  state: HostState;
  flow: Flow;
  outcome: Exclude<Outcome, 'reachable'>;
  stage: Stage;
  symptom: Symptom | null;
  /** The particulars of the cause. */
  particulars: Record<string, unknown>;
}

export const everywhere4 = tcp('0.0.0.0:3000');
export const everywhere6 = tcp('[::]:3000');
export const loopback4 = tcp('127.0.0.1:3000');
export const loopback6 = tcp('[::1]:3000');
export const server = onLan([everywhere6]);
export const byLan = asks(neighbour4, LAN, `${lan4}:3000`);
export const byLan6 = asks(neighbour6, LAN, `[${lan6}]:3000`);
export const remedy = { reason: 'the kernel refused: EPERM', remedy: 'run as root' };

export const withLan = (changes: LinkChanges, sockets = [everywhere6]) =>
  onLan(sockets, { links: [lanLink(changes)] });

export const drops = (
  says: string,
  state: HostState,
  flow: Flow,
  stage: Stage,
  particulars: Record<string, unknown> = {},
): Case => {
  return { says, state, flow, outcome: 'unreachable', stage, symptom: 'ETIMEDOUT', particulars };
};

export const fails = (
  says: string,
  state: HostState,
  flow: Flow,
  stage: Stage,
  symptom: Symptom | null,
  particulars: Record<string, unknown> = {},
): Case => ({ says, state, flow, outcome: 'unreachable', stage, symptom, particulars });

export const unknown = (
  says: string,
  state: HostState,
  flow: Flow,
  stage: Stage,
  particulars: Record<string, unknown> = {},
): Case => ({ says, state, flow, outcome: 'unknown', stage, symptom: null, particulars });

export const routeTo = (
  destination: string,
  type: 'blackhole' | 'unreachable' | 'prohibit' | 'throw',
) => route(destination, { type });

export const lanTwo = link('eth1', ['10.0.0.1/24', '2001:db8:2::1/64', 'fe80::11/64']);

export const router = withRouter();

export function withRouter(changes: Parameters<typeof onLan>[1] = {}): HostState {
  return onLan([everywhere6], {
    links: [lanLink({ ipv4: { forwarding: 1 }, ipv6: { forwarding: 1 } }), lanTwo],
    settings: { 'net.ipv6.conf.all.forwarding': 1 },
    ...changes,
  });
}
