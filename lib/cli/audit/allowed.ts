import type { HostState } from '../../model/host-state.js';
import {
  type AddressRange,
  prefixesToRanges,
  rangesToPrefixes,
  rangesWithout,
} from '../../model/prefix-set.js';
import type { Family, Transport } from '../../model/socket.js';
import { type Peers, type Policy, type PolicyRule, portRange } from './policy.js';

/** Whom a policy lets reach one port by one interface. */
export interface Allowed {
  readonly ranges: Readonly<Record<Family, readonly AddressRange[]>>;
  /** The rules that name the port, by their place in the policy; none: what holds otherwise does. */
  readonly rules: readonly number[];
}

/** What a policy says on one host, each answer found once. */
export class PolicyOnHost {
  readonly #known = new Map<string, Allowed>();
  readonly #nobodys: Partial<Record<Family, readonly AddressRange[]>> = {};

  constructor(
    readonly policy: Policy,
    private readonly state: HostState,
  ) {}

  /** Whom the policy lets reach a port by an interface. */
  allowed(protocol: Transport, port: number, device: string): Allowed {
    const key = `${protocol} ${port} ${device}`;
    let known = this.#known.get(key);
    if (!known) {
      known = this.#find(protocol, port, device);
      this.#known.set(key, known);
    }
    return known;
  }

  #find(protocol: Transport, port: number, device: string): Allowed {
    const naming = this.policy.rules.flatMap((rule, place) =>
      names(rule, protocol, port) ? [{ rule, place }] : [],
    );
    const here = naming.filter(({ rule }) => rule.interfaces?.includes(device) ?? true);
    const peers =
      naming.length === 0 ? this.policy.otherwise : here.flatMap(({ rule }) => rule.from);
    return {
      ranges: {
        ipv4: this.rangesOf(peers, device, 'ipv4'),
        ipv6: this.rangesOf(peers, device, 'ipv6'),
      },
      rules: naming.map(({ place }) => place),
    };
  }

  /** The addresses that words and prefixes mean on an interface. */
  rangesOf(peers: readonly Peers[], device: string, family: Family): AddressRange[] {
    const texts = peers.flatMap((who) => {
      if (who === 'anyone') return [everybody[family]];
      return who === 'link' ? this.#link(device) : [who];
    });
    return prefixesToRanges(texts, family);
  }

  /** Addresses that no peer has: this host's own, broadcasts, and what is no source of a packet. */
  nobodys(family: Family): readonly AddressRange[] {
    this.#nobodys[family] ??= prefixesToRanges(
      [
        ...unusable[family],
        ...this.state.interfaces.flatMap(({ addresses }) =>
          addresses.map(({ address }) => `${address}/${family === 'ipv4' ? 32 : 128}`),
        ),
        ...this.state.routes.flatMap(({ type, destination }) =>
          type === 'broadcast' ? [destination] : [],
        ),
      ],
      family,
    );
    return this.#nobodys[family];
  }

  /** The addresses as CIDR texts; none where nobody at all has one of them. */
  people(ranges: readonly AddressRange[], family: Family): string[] {
    const somebody = rangesWithout(ranges, this.nobodys(family)).length > 0;
    return somebody ? rangesToPrefixes(ranges, family) : [];
  }

  #link(device: string): string[] {
    const own = this.state.interfaces.find(({ name }) => name === device)?.addresses ?? [];
    return own.map(({ address, peer, prefixLength }) => `${peer ?? address}/${prefixLength}`);
  }
}

/** No packet that a host takes comes from these. */
const unusable: Readonly<Record<Family, readonly string[]>> = {
  ipv4: ['0.0.0.0/8', '127.0.0.0/8', '224.0.0.0/4', '255.255.255.255/32'],
  ipv6: ['::/127', '::ffff:0:0/96', 'ff00::/8'],
};

export const everybody: Readonly<Record<Family, string>> = { ipv4: '0.0.0.0/0', ipv6: '::/0' };

/** Does a rule speak of the port? */
export function names(rule: PolicyRule, protocol: Transport, port: number): boolean {
  return (
    (rule.protocol ?? protocol) === protocol &&
    portsOf(rule).some(([first, last]) => port >= first && port <= last)
  );
}

/** The ports of a rule, as ranges. */
export function portsOf({ ports }: PolicyRule): [first: number, last: number][] {
  return (Array.isArray(ports) ? ports : [ports]).map((one) => portRange(String(one))!);
}
