import { type Address, formatAddress, parseAddress } from '../model/address.js';
import type { Endpoint } from '../model/socket.js';
import { UsageError } from './usage-error.js';

/*
 * What people type, turned into what the library takes. Each function returns a checked value or
 * throws a UsageError that names the text met and what to write instead.
 */

/** A port, 1 to 65535. `what` is how the error calls it. */
export function portArgument(text: string, what = 'port'): number {
  if (!/^\d+$/.test(text)) {
    throw new UsageError(`${what} '${text}' is not a number: give one from 1 to 65535`);
  }
  const port = Number(text);
  if (port < 1 || port > 65535) {
    throw new UsageError(`${what} ${text} is out of range: give one from 1 to 65535`);
  }
  return port;
}

/** An address of a peer, without a zone. `option` is where it was given. */
export function addressArgument(text: string, option: string): Address {
  const address = parseAddress(text);
  if (address) return address;
  const zone = /^(.*)%(.+)$/.exec(text);
  if (zone && parseAddress(zone[1]!)) {
    throw new UsageError(
      `${option} '${text}' carries a zone: write ${zone[1]} and name the interface with --in ${zone[2]}`,
    );
  }
  throw new UsageError(
    `${option} '${text}' is not an IP address: give one such as 192.0.2.7 or 2001:db8::7 (names are not looked up)`,
  );
}

/** ADDRESS:PORT, or [ADDRESS]:PORT for IPv6. `what` is how the error calls it. */
export function endpointArgument(text: string, what = 'destination'): Endpoint {
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(text);
  const plain = /^([^:]*)(?::([^:]*))?$/.exec(text);
  const [, host, port] = bracketed ?? plain ?? [];
  if (host === undefined) {
    throw new UsageError(
      parseAddress(text)
        ? `${what} '${text}' has no port that can be told from the address: write [ADDRESS]:PORT`
        : `${what} '${text}' is not ADDRESS:PORT: write 192.0.2.2:3000 or [2001:db8::2]:3000`,
    );
  }
  const address = addressArgument(host, what);
  if (port === undefined || port === '') {
    throw new UsageError(`${what} '${text}' has no port: write ${text.replace(/:$/, '')}:PORT`);
  }
  return {
    address: formatAddress(address),
    port: portArgument(port, `${what} '${text}': port`),
  };
}

/** A namespace as `ReadOptions` takes it: a bare name is below /run/netns, digits are a process id. */
export function netnsArgument(text: string): string | number {
  if (text === '') {
    throw new UsageError('--netns is empty: give a name, a path or a process id');
  }
  if (text.includes('/')) return text;
  if (!/^\d+$/.test(text)) return `/run/netns/${text}`;
  const pid = Number(text);
  // The kernel's PID_MAX_LIMIT on 64-bit machines.
  if (pid < 1 || pid > 4_194_304) {
    throw new UsageError(
      `--netns ${text} is no process id: give one from 1 to 4194304, or write /run/netns/${text} for a namespace of that name`,
    );
  }
  return pid;
}

/** Milliseconds from one look to the next, as `watch` takes them. */
export function intervalArgument(text: string): number {
  const milliseconds = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (milliseconds >= 10 && milliseconds <= 86_400_000) return milliseconds;
  throw new UsageError(`--interval '${text}': give milliseconds from 10 to 86400000`);
}
