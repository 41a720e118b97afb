import type { Sysctls } from '../namespaces.js';
import type { ListenerSpec } from '../sockets.js';
import { Random } from './random.js';
import {
  type Asker,
  askersOf,
  families,
  isIpv6,
  isLinkLocalText,
  type LinkSpec,
  plain,
  type ScenarioFamily,
} from './scenario.js';

/** What a scenario is made of, as far as it is made. */
export class Draft {
  readonly family: ScenarioFamily;
  readonly random: Random;
  readonly links: LinkSpec[] = [];
  /** Addresses of the host by interface, without what is on lo. */
  readonly own = new Map<string, string[]>();
  /** What else flows may ask for: on lo, AnyIP, nobody's; the more often a place, the likelier. */
  readonly places: string[] = [];
  /** Broadcast addresses that come in once. */
  readonly broadcasts: string[] = [];
  readonly before: Sysctls = {};
  readonly ip: string[] = [];
  readonly sysctls: Sysctls = {};
  readonly listeners: ListenerSpec[] = [];
  readonly nft: string[] = [];

  constructor(readonly seed: number) {
    this.family = families[seed % families.length]!;
    this.random = new Random(seed);
  }

  /** Draws with this probability where the scenario is of one of the families, else with a part of it. */
  often(probability: number, ...varied: ScenarioFamily[]): boolean {
    return this.random.chance(varied.includes(this.family) ? probability : probability * 0.3);
  }

  get askers(): Asker[] {
    return askersOf(this.links);
  }

  /** The names of the interfaces. */
  get names(): string[] {
    return this.links.map(({ name }) => name);
  }

  /** Addresses of the host without those of lo and the link-local ones. */
  ownAddresses(ipv6?: boolean): string[] {
    return [...this.own.values()]
      .flat()
      .filter((address) => !isLinkLocalText(address))
      .filter((address) => ipv6 === undefined || isIpv6(address) === ipv6);
  }

  /** The host has another address on a link, and those on it ask for it by their gateway. */
  addOwn(link: LinkSpec, address: string): void {
    this.own.get(link.name)!.push(address);
    for (const peer of link.peers) if (!peer.duplicates) peer.byGateway.push(address);
  }

  /** A prefix that holds some peer's or some own address, or everything. */
  prefix(ipv6: boolean): string {
    if (this.random.chance(0.1)) return 'default';
    const held = [
      ...this.askers.flatMap(({ addresses }) => addresses),
      ...this.ownAddresses(),
      ...this.places.filter((address) => !/^(127\.|::1$|255\.)/.test(address)),
    ];
    const address = this.random.pick(held.map(plain).filter((held) => isIpv6(held) === ipv6));
    const length = this.random.pick(ipv6 ? [128, 64, 48, 32, 16] : [32, 32, 24, 16, 8]);
    return `${address}/${length}`;
  }

  /** A way out: by a neighbour, or straight onto a link. */
  wayOut(ipv6: boolean): string {
    const { random } = this;
    if (random.chance(0.25)) return `dev ${random.pick(this.names)}`;
    const dark = this.links.find(({ kind }) => kind === 'unplugged');
    if (dark && random.chance(0.3)) {
      const via = dark.addresses.map(plain).find((own) => isIpv6(own) === ipv6)!;
      return `via ${via.replace(/1$/, '7')} dev ${dark.name}`;
    }
    const { near, link } = random.pick(this.askers.filter(({ near }) => near));
    const { ipv4, ipv6: via6, linkLocal } = near!;
    if (ipv6) return `via ${linkLocal && random.chance(0.3) ? linkLocal : via6} dev ${link}`;
    if (random.chance(0.1)) return `via inet6 ${linkLocal ?? via6} dev ${link}`;
    return `via ${ipv4} dev ${link}${random.chance(0.1) ? ' onlink' : ''}`;
  }
}
