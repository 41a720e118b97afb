import {
  type Address,
  formatAddress,
  fromV4Mapped,
  isLinkLocal,
  isLoopback,
  isUnspecified,
  isV4Mapped,
  parseAddress,
  prefixHolds,
} from '../model/address.js';
import type { HostState } from '../model/host-state.js';
import type { Transport } from '../model/socket.js';
import type { Flow } from './flow.js';
import { type Device, type Host, hostOf } from './host.js';
import { trace } from './trace.js';
import type { Symptom, Verdict } from './verdict.js';

/** Somebody sees an error, and asks what on this host is behind it. */
export interface SymptomQuestion {
  protocols: readonly Transport[];
  port: number;
  /** Who sees it: an address, canonical text. */
  peer: string;
  sees: Symptom;
  /** The one interface that its packets arrive on; `null` where that is not known. */
  ingress: string | null;
  /** The interface by which this host would send to the peer; `null` for none. */
  wayBack: string | null;
}

/** Something here that makes the peer see it, or may. */
export interface Suspect {
  /** Where the packets arrive then. */
  interface: string;
  protocol: Transport;
  /** The addresses of this host for which it is so: those that the peer is likely to use come first. */
  addresses: string[];
  /** True where it surely shows this very error; false where that could not be told. */
  certain: boolean;
  /** The interface is one by which the peer is expected: the route back to it, or its own network. */
  expected: boolean;
  /** The first packet for the first of the addresses. */
  flow: Flow;
  verdict: Verdict;
}

/** What on a host makes a peer see an error. */
export interface Suspicion {
  /** The likeliest first. Empty: nothing here does, and what happens, happens elsewhere. */
  suspects: Suspect[];
  /** Ways in by which the peer would get through. */
  open: Flow[];
}

/**
 * From the symptom back: every address that the peer may have used, by every interface its packets may
 * have arrived on, is traced, and what ends in that error is ranked. Pure, like `trace`.
 */
export function suspects(state: HostState, question: SymptomQuestion): Suspicion {
  const host = hostOf(state);
  const found = new Map<string, Suspect & { rank: number }>();
  const open: Flow[] = [];
  for (const { flow, rank, expected } of waysIn(host, question)) {
    const verdict = trace(state, flow);
    if (verdict.outcome === 'reachable') open.push(flow);
    const certain = shows(verdict, question.sees);
    if (certain === null) continue;
    const key = `${certain} ${flow.protocol} ${flow.ingress} ${reasonKey(verdict)}`;
    const known = found.get(key);
    if (known) {
      known.addresses.push(flow.destination.address);
      continue;
    }
    const { protocol, ingress, destination } = flow;
    found.set(key, {
      interface: ingress,
      protocol,
      addresses: [destination.address],
      certain,
      expected,
      flow,
      verdict,
      rank: rank + (certain ? 0 : assumes(verdict, question.sees) ? 10 : 20),
    });
  }
  const ranked = [...found.values()].sort((one, other) => one.rank - other.rank);
  return { suspects: ranked.map(({ rank: _, ...suspect }) => suspect), open };
}

/** Does the verdict end in this error: surely, perhaps (`false`), or surely not (`null`)? */
function shows({ outcome, symptom }: Verdict, sees: Symptom): boolean | null {
  if (outcome === 'reachable') return null;
  if (outcome === 'unknown' || symptom === null) return false;
  return symptom === sees ? true : null;
}

/** What is unknown would end in it, did the part that could not be read let the packet pass. */
function assumes({ assuming }: Verdict, sees: Symptom): boolean {
  return assuming?.symptom === sees;
}

/** Verdicts that a person would give one reason for. */
function reasonKey({ cause, stage }: Verdict): string {
  const particulars = (key: string, value: unknown) =>
    key === 'destination' || key === 'address' ? undefined : value;
  return `${stage} ${JSON.stringify(cause, particulars)}`;
}

interface WayIn {
  readonly flow: Flow;
  /** The smaller, the likelier. */
  readonly rank: number;
  readonly expected: boolean;
}

/** The flows that the peer may have tried, the likeliest first. */
function waysIn(host: Host, question: SymptomQuestion): WayIn[] {
  const peer = parseAddress(question.peer);
  if (!peer) return [];
  const ways = arrivals(host, question, peer).flatMap(({ device, rank: nearness }) =>
    question.protocols.flatMap((protocol) =>
      destinations(host, device, peer, protocol, question.port).map(
        ({ address, rank }): WayIn => ({
          flow: {
            protocol,
            ingress: device.name,
            source: { address: question.peer },
            destination: { address, port: question.port },
          },
          rank: nearness + rank,
          expected: nearness < elsewhere,
        }),
      ),
    ),
  );
  return ways.sort((one, other) => one.rank - other.rank);
}

/** The rank of an interface by which the peer is not expected. */
const elsewhere = 4;

/** Where its packets may arrive: by the way back, from its own network, or anywhere else. */
function arrivals(
  host: Host,
  { ingress, peer: text, wayBack }: SymptomQuestion,
  peer: Address,
): { device: Device; rank: number }[] {
  const all = [...host.devices.values()];
  if (ingress !== null) {
    return all.filter(({ name }) => name === ingress).map((device) => ({ device, rank: 0 }));
  }
  if (isLoopback(peer) || host.owners(text).length > 0) {
    return all.filter(({ link }) => link.loopback).map((device) => ({ device, rank: 0 }));
  }
  return all.flatMap((device) => {
    // What a port of a bridge or bond receives, its master answers; a VRF's ports answer for it.
    if (device.link.loopback || device.seenAs !== device || device.link.vrfTable !== null)
      return [];
    const near = device.networks.some((network) => prefixHolds(network, peer));
    if (!device.link.up && !near) return [];
    return [{ device, rank: device.name === wayBack ? 0 : near ? 2 : elsewhere }];
  });
}

/** The addresses that a peer may use there: the interface's own, those that listeners stand on, the others. */
function destinations(
  host: Host,
  device: Device,
  peer: Address,
  protocol: Transport,
  port: number,
): { address: string; rank: number }[] {
  const fromHere = device.link.loopback;
  const ranks = new Map<string, number>();
  const add = (text: string, rank: number) => {
    const address = parseAddress(text);
    if (address?.family !== peer.family || isUnspecified(address)) return;
    // A loopback address is the peer's own, and a link-local one is of one link.
    if (isLoopback(address) && !fromHere) return;
    const ofThisLink = device.link.addresses.some((own) => own.address === text);
    if (isLinkLocal(address) && !ofThisLink) return;
    if (!ranks.has(text)) ranks.set(text, rank);
  };
  for (const { address } of device.link.addresses) add(address, 0);
  for (const { address } of host.receivers(protocol, port)) {
    add(formatAddress(isV4Mapped(address) ? fromV4Mapped(address) : address), 0);
  }
  for (const own of host.own) add(own.entry.address, 1);
  return [...ranks].map(([address, rank]) => ({ address, rank }));
}
