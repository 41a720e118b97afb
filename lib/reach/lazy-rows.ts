import { isLinkLocal, parseAddress } from '../model/address.js';
import { formatEndpoint } from '../model/endpoint.js';
import type { Endpoint, Transport } from '../model/socket.js';
import type { Blocked, Reach, Remedy, Untold } from './exposure-row.js';
import type { Door, SocketFate } from './knock.js';
import type { Cause } from './verdict.js';

/**
 * What of a row is made when it is first asked for. The texts of its peers: a block list may leave a
 * hundred thousand prefixes, and most of those who ask about many sockets look at few of them. Its
 * remedies: each is tried on a copy of the state.
 */
export interface Makes {
  readonly peers: () => string[];
  readonly remedies: (row: Blocked) => Remedy[];
}

/** The port that peers ask for. */
interface Asked {
  readonly protocol: Transport;
  readonly port: number;
}

export function reachRow(
  asked: Asked,
  { device, address }: Door,
  { peers }: Makes,
  sentOnTo: Endpoint | null = null,
): Reach {
  return {
    interface: device.name,
    address,
    get peers() {
      return heldPeers(this, peers);
    },
    set peers(value) {
      put(this, 'peers', value);
    },
    port: asked.port,
    url: urlFor(asked, address),
    forwardedTo: sentOnTo && formatEndpoint(sentOnTo),
  };
}

export function blockedRow({ device, address }: Door, fate: SocketFate, makes: Makes): Blocked {
  return {
    interface: device.name,
    address,
    get peers() {
      return heldPeers(this, makes.peers);
    },
    set peers(value) {
      put(this, 'peers', value);
    },
    cause: fate.cause as Cause,
    symptom: fate.symptom,
    get remedies() {
      return put(this, 'remedies', makes.remedies(this));
    },
    set remedies(value) {
      put(this, 'remedies', value);
    },
  };
}

export function untoldRow(
  asked: Asked,
  { device, address }: Door,
  fate: SocketFate,
  makes: Makes,
): Untold {
  return {
    interface: device.name,
    address,
    get peers() {
      return heldPeers(this, makes.peers);
    },
    set peers(value) {
      put(this, 'peers', value);
    },
    port: asked.port,
    url: urlFor(asked, address),
    forwardedTo: null,
    cause: fate.cause as Cause,
    symptom: fate.symptom,
    get remedies() {
      return put(this, 'remedies', makes.remedies(this));
    },
    set remedies(value) {
      put(this, 'remedies', value);
    },
    assuming: fate.assuming ?? null,
  };
}

/** Longer lists are held only as long as somebody has them: rows differ, and there may be thousands. */
const longestHeld = 4_096;
const longLists = new WeakMap<object, WeakRef<string[]>>();

function heldPeers(row: object, make: () => string[]): string[] {
  const known = longLists.get(row)?.deref();
  if (known) return known;
  const list = make();
  if (list.length <= longestHeld) return put(row, 'peers', list);
  longLists.set(row, new WeakRef(list));
  return list;
}

function put<Value>(row: object, key: 'peers' | 'remedies', value: Value): Value {
  Object.defineProperty(row, key, { value, enumerable: true, writable: true, configurable: true });
  return value;
}

/** What to type; a link-local address needs a zone, which no URL can carry everywhere. */
function urlFor({ protocol, port }: Asked, address: string): string | null {
  if (protocol !== 'tcp') return null;
  const parsed = parseAddress(address);
  if (!parsed || isLinkLocal(parsed)) return null;
  const secure = port === 443 || port === 8443;
  const host = address.includes(':') ? `[${address}]` : address;
  const standard = port === (secure ? 443 : 80);
  return `${secure ? 'https' : 'http'}://${host}${standard ? '' : `:${port}`}/`;
}
