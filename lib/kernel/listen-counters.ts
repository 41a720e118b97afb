import type { ReadOptions } from '../model/socket.js';
import { native } from '../native.js';
import { checkReadOptions } from './read-options.js';

/** What the kernel has counted since the network namespace was made; `null` where it does not tell. */
export interface ListenCounters {
  /** Handshakes that met a full accept queue (LINUX_MIB_LISTENOVERFLOWS). */
  overflows: number | null;
  /** Handshakes that a listener dropped for any cause, those included (LINUX_MIB_LISTENDROPS). */
  drops: number | null;
  /** From which ports the kernel picks for who names none (net.ipv4.ip_local_port_range). */
  pickedPorts: { from: number; to: number } | null;
}

const PATHS = ['/proc/thread-self/net/netstat', '/proc/sys/net/ipv4/ip_local_port_range'];

/** Reads how listeners of a namespace fared. */
export async function readListenCounters(options?: ReadOptions): Promise<ListenCounters> {
  const { netns } = checkReadOptions(options);
  return decodeListenCounters(await native.readFiles({ paths: PATHS, netns }));
}

/** From what `readFiles` gave for /proc/net/netstat and the range of ports: bytes, or the errno. */
export function decodeListenCounters(
  contents: readonly (Uint8Array | number | undefined)[],
): ListenCounters {
  const [statistics = '', range = ''] = contents.map((content) =>
    typeof content === 'object' ? new TextDecoder().decode(content) : '',
  );
  const counters = tcpExtended(statistics);
  const ports = /^\s*(\d+)\s+(\d+)\s*$/.exec(range);
  return {
    overflows: counters.get('ListenOverflows') ?? null,
    drops: counters.get('ListenDrops') ?? null,
    pickedPorts: ports && { from: Number(ports[1]), to: Number(ports[2]) },
  };
}

/** Two lines, one of names and one of numbers, in the same order (netstat_seq_show). */
function tcpExtended(text: string): Map<string, number> {
  const [names = [], values = []] = text
    .split('\n')
    .filter((line) => line.startsWith('TcpExt: '))
    .map((line) => line.split(' ').slice(1));
  return new Map(
    names.flatMap((name, at) => {
      const value = values[at];
      return value !== undefined && /^\d+$/.test(value) ? [[name, Number(value)]] : [];
    }),
  );
}
