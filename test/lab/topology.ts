import { formatAddress, formatPrefix, ipv6, parsePrefix } from '#earshot/model/address.js';
import { addon } from './addon.js';
import { makeNamespaces, type Namespace, type Sysctls } from './namespaces.js';

/** A machine of the lab beyond its addresses. */
export interface MachineDescription {
  /** Its networks, by the name of its interface there. A peer that has any is a router. */
  interfaces?: Record<string, NetworkDescription>;
  /** Is `lo` up? Default: on the host yes; on peers no, so that 127.0.0.1 is a destination like any other. */
  loopback?: boolean;
  /** Written when all links and addresses are there. */
  sysctls?: Sysctls;
  /** Lines for ip(8), run after the sysctls. */
  ip?: string[];
  /** Rules for nft(8), loaded last. */
  nft?: string;
}

/** One interface of a machine, and who is on the other side. */
export interface NetworkDescription {
  /**
   * - `veth`, the default: an Ethernet card, with a switch behind it when there are several peers
   * - `bridge`: a bridge of the machine's own, each peer on a port of it, as containers have it
   * - `macvlan`: a macvlan on a card named after it with a `p` appended
   * - `tun`: a point-to-point tunnel without a link layer, to one peer, as VPNs have it
   * - `unplugged`: an Ethernet card without a carrier, and so without peers
   */
  kind?: 'veth' | 'bridge' | 'macvlan' | 'tun' | 'unplugged';
  /**
   * Interfaces that name the same segment stand on one switch, with the peers of each: for `veth`
   * and `macvlan`. A segment among peers alone is their own affair: the host gets no route to it.
   */
  segment?: string;
  /** In CIDR notation; what follows a space is passed on to `ip address add`. */
  addresses: string[];
  peers?: Record<string, PeerDescription>;
}

/** A machine at the other end of a network; its own interface there is `eth0`. */
export interface PeerDescription extends MachineDescription {
  /** In CIDR notation, as above. */
  addresses: string[];
  /** Prefixes whose every address it holds for its own too: it can ask from any of them. */
  claims?: string[];
  /** Addresses that the owner of its link sends to it, as to a router with proxy ARP for those behind it. */
  proxies?: string[];
}

/** The host under examination. */
export interface HostDescription extends MachineDescription {
  interfaces: Record<string, NetworkDescription>;
}

/** An interface of a machine that was built. */
export interface Port {
  readonly name: string;
  /** `null` for a tunnel. */
  readonly mac: string | null;
  /** The IPv6 link-local address; `null` for a tunnel. */
  readonly linkLocal: string | null;
  /** Without prefix lengths. */
  readonly addresses: string[];
}

/** A machine that was built. */
export interface Machine {
  readonly name: string;
  readonly namespace: Namespace;
  /** The interface by which what it sends arrives on the host; `lo` for the host itself. */
  readonly ingress: string;
  /** The port, where `ingress` is a bridge of the host; else the same. */
  readonly door: string;
  readonly ports: Record<string, Port>;
}

/** The name of the host among the machines. */
export const HOST = 'host';

/** Builds the host and everything around it. `close` lets go of all of it. */
export async function build(
  description: HostDescription,
): Promise<{ machines: Map<string, Machine>; close(): void }> {
  const plan = new Plan();
  plan.addMachine(HOST, { loopback: true, ...description }, { ingress: 'lo', door: 'lo' }, null);
  plan.introduce();
  const namespaces = makeNamespaces(plan.machines.map(({ name }) => name));
  const closers: (() => void)[] = namespaces.map((namespace) => () => namespace.close());
  const close = (): void => {
    for (const closer of closers.splice(0).reverse()) closer();
  };
  try {
    const of = new Map(namespaces.map((namespace) => [namespace.name, namespace]));
    for (const [a, b] of plan.tunnels) {
      closers.push(addon.openTunnel(of.get(a.on)!.fd, a.name, of.get(b.on)!.fd, b.name));
    }
    await of.get(HOST)!.ip(plan.links.map((line) => line((name) => of.get(name)!.path)));
    await Promise.all(plan.machines.map(({ name, lines }) => of.get(name)!.ip(lines)));
    await Promise.all(
      plan.machines.map(async ({ name, up }) => {
        if (up.length === 0) return;
        const late = await addon.awaitRunning(of.get(name)!.fd, up, 5000);
        if (late.length > 0) throw new Error(`${name}: no carrier on ${late.join(', ')}`);
      }),
    );
    await Promise.all(
      plan.machines.map(async ({ name, description: { sysctls, ip, nft, interfaces, claims } }) => {
        const namespace = of.get(name)!;
        if (name !== HOST && interfaces) namespace.sysctl(forwarding);
        if (claims) namespace.sysctl({ 'net.ipv6.ip_nonlocal_bind': 1 });
        if (sysctls) namespace.sysctl(sysctls);
        if (ip) await namespace.ip(ip);
        if (nft) await namespace.nft(nft);
        await namespace.settle();
      }),
    );
    const machines = new Map(
      plan.machines.map(({ name, way, ports }) => [
        name,
        { name, namespace: of.get(name)!, ...way, ports: Object.fromEntries(ports) },
      ]),
    );
    return { machines, close };
  } catch (error) {
    close();
    throw error;
  }
}

const forwarding: Sysctls = { 'net.ipv4.ip_forward': 1, 'net.ipv6.conf.all.forwarding': 1 };

/** One end of a link: which machine, and the interface's name there. */
interface End {
  on: string;
  name: string;
}

/** One machine on a network, as its neighbours know it. */
interface Station extends End {
  mac: string | null;
  addresses: string[];
  proxies: string[];
}

/** A network of one machine. */
interface Wired {
  own: Station;
  stations: Station[];
}

/** By which interface of the host what a machine sends comes in. */
interface WayIn {
  ingress: string;
  door: string;
}

interface MachinePlan {
  name: string;
  way: WayIn;
  description: MachineDescription & Partial<PeerDescription>;
  /** Lines for ip(8) inside. */
  lines: string[];
  ports: Map<string, Port>;
  /** The interfaces that must come up. */
  up: string[];
}

/** A line for ip(8) that names namespaces, once their paths are known. */
type LinkLine = (path: (machine: string) => string) => string;

/** What has to be done, worked out before any of it is. */
class Plan {
  readonly machines: MachinePlan[] = [];
  readonly links: LinkLine[] = [];
  readonly tunnels: [End, End][] = [];
  /** The networks that hang together, by the name of their segment. */
  readonly #segments = new Map<string, Wired[]>();
  readonly #switches = new Map<string, { name: string; ports: number }>();
  #macs = 0;
  #switch: MachinePlan | null = null;

  /** Gives the prefixes that lie behind the machine. */
  addMachine(
    name: string,
    description: MachineDescription,
    way: WayIn,
    uplink: Station | null,
  ): string[] {
    if (this.machines.some((machine) => machine.name === name)) {
      throw new Error(`two machines of the lab are named '${name}'`);
    }
    const machine: MachinePlan = {
      name,
      way,
      description,
      lines: [],
      ports: new Map(),
      up: [],
    };
    this.machines.push(machine);
    if (description.loopback) machine.lines.push('link set lo up');
    if (uplink) this.#addPort(machine, uplink, uplink.addresses);
    return Object.entries(description.interfaces ?? {}).flatMap(([port, network]) =>
      this.#addNetwork(machine, port, network),
    );
  }

  /** Gives the prefixes of the network and of what lies behind its peers. */
  #addNetwork(owner: MachinePlan, name: string, network: NetworkDescription): string[] {
    const { kind = 'veth', segment } = network;
    const peers = Object.entries(network.peers ?? {});
    const station = (
      on: string,
      port: string,
      addresses: string[],
      proxies: string[] = [],
    ): Station => ({
      on,
      name: port,
      mac: kind === 'tun' ? null : this.#mac(),
      addresses,
      proxies,
    });
    const own = station(owner.name, name, network.addresses);
    const stations = peers.map(([peer, { addresses, proxies }]) =>
      station(peer, 'eth0', addresses, proxies),
    );
    this.#wire(owner, own, stations, kind, segment);
    this.#addPort(owner, own, network.addresses);
    if (kind === 'unplugged') owner.up.splice(owner.up.indexOf(name), 1);
    const together = segment ?? `${owner.name} ${name}`;
    this.#segments.set(together, [...(this.#segments.get(together) ?? []), { own, stations }]);

    const prefixes = [...network.addresses];
    for (const [index, [peer, description]] of peers.entries()) {
      const door = kind === 'bridge' ? portName(name, index) : name;
      const way = owner.name === HOST ? { ingress: name, door } : owner.way;
      const station = stations[index]!;
      const behind = this.addMachine(peer, description, way, station);
      const machine = this.machines.find((candidate) => candidate.name === peer)!;
      for (const prefix of description.claims ?? []) {
        machine.lines.push(`route add local ${prefix} dev eth0`);
      }
      this.#routeBack(machine, own);
      for (const prefix of behind) this.#routeVia(owner, prefix, station, name);
      prefixes.push(...behind);
    }
    return segment && owner.name !== HOST ? [] : prefixes;
  }

  /** Lays the cables. */
  #wire(
    owner: MachinePlan,
    own: Station,
    peers: Station[],
    kind: NetworkDescription['kind'],
    segment: string | undefined,
  ): void {
    if (segment !== undefined && kind !== 'veth' && kind !== 'macvlan') {
      throw new Error(`${own.name}: a ${kind} stands on no segment`);
    }
    if (kind === 'tun') {
      if (peers.length !== 1) throw new Error(`${own.name}: a tun has one peer`);
      this.tunnels.push([own, peers[0]!]);
    } else if (kind === 'bridge') {
      owner.lines.push(`link add ${own.name} address ${own.mac} type bridge`);
      this.#plug(owner, { name: own.name, ports: 0 }, peers);
    } else if (kind === 'unplugged') {
      const dark = { ...own, on: this.#switchMachine().name, name: `dark${this.#macs}` };
      this.#cable(own, { ...dark, mac: this.#mac() });
    } else {
      const card = kind === 'macvlan' ? { ...own, name: `${own.name}p`, mac: this.#mac() } : own;
      if (peers.length === 1 && segment === undefined) {
        this.#cable(card, peers[0]!);
      } else {
        this.#plug(this.#switchMachine(), this.#switchOf(segment), [card, ...peers]);
      }
      if (kind === 'macvlan') {
        owner.lines.push(
          `link set ${card.name} up`,
          `link add ${own.name} link ${card.name} address ${own.mac} type macvlan mode bridge`,
        );
      }
    }
  }

  /** The machine that has nothing but switches. */
  #switchMachine(): MachinePlan {
    this.#switch ??= {
      name: 'switch',
      way: { ingress: '', door: '' },
      description: {},
      lines: [],
      ports: new Map(),
      up: [],
    };
    if (!this.machines.includes(this.#switch)) this.machines.push(this.#switch);
    return this.#switch;
  }

  /** The switch of a segment, or one of its own. */
  #switchOf(segment: string | undefined): { name: string; ports: number } {
    const known = segment === undefined ? undefined : this.#switches.get(segment);
    if (known) return known;
    const made = { name: `sw${this.#macs}`, ports: 0 };
    this.#switchMachine().lines.push(
      `link add ${made.name} type bridge mcast_snooping 0`,
      `link set ${made.name} up`,
    );
    if (segment !== undefined) this.#switches.set(segment, made);
    return made;
  }

  /** Connects stations to the ports of a bridge. */
  #plug(owner: MachinePlan, bridge: { name: string; ports: number }, stations: Station[]): void {
    for (const station of stations) {
      const port = portName(bridge.name, bridge.ports++);
      this.#cable(
        { on: owner.name, name: port, mac: this.#mac(), addresses: [], proxies: [] },
        station,
      );
      owner.lines.push(
        `link set ${port} addrgenmode none`,
        `link set ${port} master ${bridge.name} up`,
      );
      owner.up.push(port);
    }
  }

  #cable(a: Station, b: Station): void {
    this.links.push(
      (path) =>
        `link add name ${a.name} address ${a.mac} netns ${path(a.on)} type veth ` +
        `peer name ${b.name} address ${b.mac} netns ${path(b.on)}`,
    );
  }

  #addPort(machine: MachinePlan, station: Station, addresses: string[]): void {
    const { name, mac } = station;
    const linkLocal = mac && linkLocalOf(mac);
    // The link-local address is added here and not left to the kernel, which would do so later.
    // One line would set the interface up first (do_setlink).
    machine.lines.push(`link set ${name} addrgenmode none`, `link set ${name} up`);
    if (linkLocal) machine.lines.push(`address add ${linkLocal}/64 dev ${name} nodad`);
    for (const address of addresses) {
      machine.lines.push(
        `address add ${address} dev ${name}${isIpv6(address) && !address.includes(' ') ? ' nodad' : ''}`,
      );
    }
    machine.ports.set(name, { name, mac, linkLocal, addresses: addresses.map(plain) });
    machine.up.push(name);
  }

  /** A peer sends what it has no better route for to the owner of its network. */
  #routeBack(peer: MachinePlan, owner: Station): void {
    for (const [family, everywhere] of [
      [isIpv4, '0.0.0.0/0'],
      [isIpv6, '::/0'],
    ] as const) {
      const gateway = owner.addresses.find(family);
      const via = owner.mac && gateway ? `via ${plain(gateway)} ` : '';
      if (gateway) peer.lines.push(`route add ${everywhere} ${via}dev eth0`);
    }
  }

  #routeVia(machine: MachinePlan, prefix: string, via: Station, device: string): void {
    const gateway = via.addresses.find(isIpv4(prefix) ? isIpv4 : isIpv6);
    if (!gateway) return;
    const hop = via.mac ? `via ${plain(gateway)} ` : '';
    machine.lines.push(`route replace ${network(prefix)} ${hop}dev ${device}`);
  }

  /** Everybody on a segment knows everybody's link-layer address: nothing is asked, nothing expires. */
  introduce(): void {
    for (const networks of this.#segments.values()) {
      const peers = networks.flatMap(({ stations }) => stations);
      for (const { own, stations } of networks) {
        for (const peer of peers) this.#tell(own, peer, peer, peer.proxies);
        for (const station of stations) {
          for (const peer of peers) if (peer !== station) this.#tell(station, peer, peer);
          // What is asked of the owner comes in by this network, whichever of its addresses is asked.
          for (const { own: other } of networks) {
            if (other.on === own.on) this.#tell(station, other, own);
            else this.#tell(station, other, other);
          }
        }
        for (const { own: other } of networks)
          if (other.on !== own.on) this.#tell(own, other, other);
      }
    }
  }

  /** `knows` sends what is for the addresses of `of` to the card of `at`. */
  #tell(knows: Station, of: Station, at: Station, more: string[] = []): void {
    if (!of.mac || !at.mac) return;
    const machine = this.machines.find(({ name }) => name === knows.on)!;
    for (const address of [...more, ...of.addresses.map(plain), linkLocalOf(of.mac)]) {
      machine.lines.push(
        `neighbour replace ${address} lladdr ${at.mac} dev ${knows.name} nud permanent`,
      );
    }
  }

  #mac(): string {
    const [high, low] = [this.#macs >> 8, this.#macs++ & 255].map((byte) =>
      byte.toString(16).padStart(2, '0'),
    );
    return `02:00:00:00:${high}:${low}`;
  }
}

function portName(bridge: string, index: number): string {
  return `${bridge.slice(0, 12)}-${index}`;
}

const isIpv6 = (address: string): boolean => address.includes(':');
const isIpv4 = (address: string): boolean => !isIpv6(address);

/** The address alone, of an address with a prefix length and options. */
function plain(address: string): string {
  return address.split(/[/ ]/, 1)[0]!;
}

/** The prefix that an address of an interface lies in. */
function network(address: string): string {
  return formatPrefix(parsePrefix(address.split(' ', 1)[0]!)!);
}

function linkLocalOf(mac: string): string {
  const [a, b, c, d, e, f] = mac.split(':').map((byte) => Number.parseInt(byte, 16)) as Six;
  const [high, low] = [((a ^ 2) << 24) | (b << 16) | (c << 8) | 0xff, (0xfe << 24) | (d << 16)];
  return formatAddress(ipv6(0xfe80 << 16, 0, high, low | (e << 8) | f));
}

type Six = [number, number, number, number, number, number];
