import { everyFlow, LAN4, routed } from '../../networks.js';
import { everybody, type Scene, serveEverywhere } from '../scene.js';

/*
 * Tailscale is no package of Debian's: rules and routes of the shape that it documents. Its interface
 * lets everybody in, nobody else may come from its addresses, and the host lets in little by itself.
 */

const filter = `*filter
:INPUT DROP [0:0]
:ts-forward - [0:0]
:ts-input - [0:0]
-A INPUT -j ts-input
-A INPUT -i lo -j ACCEPT
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p tcp -m tcp --dport 9001 -j ACCEPT
-A FORWARD -j ts-forward
-A ts-forward -i tailscale0 -j MARK --set-xmark 0x40000/0xff0000
-A ts-forward -m mark --mark 0x40000/0xff0000 -j ACCEPT
-A ts-forward -s 100.64.0.0/10 -o tailscale0 -j DROP
-A ts-forward -o tailscale0 -j ACCEPT
-A ts-input -s 100.64.0.1/32 -i lo -j ACCEPT
-A ts-input -s 100.115.92.0/23 ! -i tailscale0 -j RETURN
-A ts-input -s 100.64.0.0/10 ! -i tailscale0 -j DROP
-A ts-input -i tailscale0 -j ACCEPT
-A ts-input -p udp -m udp --dport 41641 -j ACCEPT
COMMIT
*nat
:ts-postrouting - [0:0]
-A POSTROUTING -j ts-postrouting
-A ts-postrouting -m mark --mark 0x40000/0xff0000 -j MASQUERADE
COMMIT
`;

const { router, neighbour } = routed.interfaces.eth0!.peers!;

export const tailscale: Scene = {
  name: 'tailscale',
  tools: [],
  host: {
    interfaces: {
      eth0: {
        ...routed.interfaces.eth0!,
        // Somebody on the LAN claims to be of the tunnel's network.
        peers: { router: router!, neighbour: { ...neighbour!, claims: ['100.64.7.7/32'] } },
      },
      tailscale0: {
        kind: 'tun',
        addresses: ['100.64.0.1/32'],
        peers: { member: { addresses: ['100.64.0.2/32'] } },
      },
    },
    ip: [
      'route add 100.64.0.0/10 dev tailscale0 table 52',
      'rule add priority 5210 fwmark 0x80000/0xff0000 table main',
      'rule add priority 5230 fwmark 0x80000/0xff0000 table default',
      'rule add priority 5250 fwmark 0x80000/0xff0000 type unreachable',
      'rule add priority 5270 table 52',
    ],
  },
  start: `iptables-restore --noflush <<'FILE'\n${filter}FILE\n`,
  serve: serveEverywhere,
  flows: [
    ...everybody,
    ...[9000, 9001, 9009].flatMap((port) => [
      ...everyFlow(['member'], ['100.64.0.1', LAN4], port),
      ...everyFlow(['host', 'neighbour'], ['100.64.0.1'], port),
      ...everyFlow(['neighbour'], [LAN4], port).map((flow) => ({
        ...flow,
        source: { address: '100.64.7.7' },
      })),
    ]),
  ],
};
