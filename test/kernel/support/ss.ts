import { formatAddress, parseAddress } from '#earshot/model/address.js';
import type { Socket } from '#earshot/model/socket.js';

const STATES: Record<string, Socket['state']> = {
  ESTAB: 'established',
  'SYN-SENT': 'syn-sent',
  'SYN-RECV': 'syn-received',
  'FIN-WAIT-1': 'fin-wait-1',
  'FIN-WAIT-2': 'fin-wait-2',
  'TIME-WAIT': 'time-wait',
  UNCONN: 'unconnected',
  'CLOSE-WAIT': 'close-wait',
  'LAST-ACK': 'last-ack',
  LISTEN: 'listen',
  CLOSING: 'closing',
};

/** A line of `ss -tuneaOH`, in the words of `socketAsWords`. */
export function socketOfSs(line: string): string {
  const [protocol, state, received, sent, local, peer, ...rest] = line.trim().split(/\s+/);
  const detail = (name: string): string | undefined =>
    rest.find((word) => word.startsWith(`${name}:`))?.slice(name.length + 1);
  return words({
    protocol: protocol!,
    state: STATES[state!]!,
    local: endpoint(local!),
    peer: peer!.endsWith(':*') ? '-' : endpoint(peer!),
    received: Number(received),
    sent: Number(sent),
    uid: Number(detail('uid') ?? 0),
    inode: Number(detail('ino')),
    cookie: Number.parseInt(detail('sk')!, 16),
    mark: Number(detail('fwmark') ?? 0),
    v6only: detail('v6only') === '1',
    device: /%([^:\]]+)/.exec(local!)?.[1] ?? '-',
  });
}

/** A record, in words that can be compared with what ss(8) says. */
export function socketAsWords(socket: Socket): string {
  const { local, remote, backlog } = socket;
  return words({
    protocol: socket.protocol,
    state: socket.state,
    local: `${local.address} ${local.port}`,
    peer: remote ? `${remote.address} ${remote.port}` : '-',
    received: backlog ? backlog.length : socket.receiveQueue,
    sent: backlog ? backlog.limit : socket.sendQueue,
    uid: socket.uid,
    inode: socket.inode,
    cookie: Number.parseInt(socket.cookie!, 16),
    mark: socket.mark ?? 0,
    v6only: socket.v6only ?? false,
    device: socket.boundInterface ?? '-',
  });
}

function words(fields: Record<string, string | number | boolean>): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
}

/** `127.0.0.1:80`, `[::1]:80`, `0.0.0.0%lan0:80`, or `*:80` for a socket of both families. */
function endpoint(text: string): string {
  const colon = text.lastIndexOf(':');
  const address = text
    .slice(0, colon)
    .replace(/%[^\]]*/, '')
    .replace(/[[\]]/g, '');
  const parsed = parseAddress(address === '*' ? '::' : address);
  return `${formatAddress(parsed!)} ${text.slice(colon + 1)}`;
}
