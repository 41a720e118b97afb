import { both, everyFlow, LAN4, routed } from '../../networks.js';
import { everybody, type Scene, serveEverywhere } from '../scene.js';

/*
 * kube-proxy is no package of Debian's: rules of the shape that it documents. Node ports of services
 * with one endpoint, with two, with one on the node itself, and with none.
 */

const nat = `*nat
:KUBE-SERVICES - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-EXT-ONEONEONEONEONE1 - [0:0]
:KUBE-SVC-ONEONEONEONEONE1 - [0:0]
:KUBE-SEP-ONEONEONEONEONE1 - [0:0]
:KUBE-EXT-TWOTWOTWOTWOTWO2 - [0:0]
:KUBE-SVC-TWOTWOTWOTWOTWO2 - [0:0]
:KUBE-SEP-TWOTWOTWOTWOTWO1 - [0:0]
:KUBE-SEP-TWOTWOTWOTWOTWO2 - [0:0]
:KUBE-EXT-NODENODENODENODE - [0:0]
:KUBE-SVC-NODENODENODENODE - [0:0]
:KUBE-SEP-NODENODENODENODE - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m comment --comment "default/kubernetes:https cluster IP" -m tcp --dport 443 -j KUBE-SVC-NODENODENODENODE
-A KUBE-SERVICES -m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
-A KUBE-NODEPORTS -p tcp -m comment --comment "default/one:http" -m tcp --dport 30080 -j KUBE-EXT-ONEONEONEONEONE1
-A KUBE-NODEPORTS -p tcp -m comment --comment "default/two:http" -m tcp --dport 30081 -j KUBE-EXT-TWOTWOTWOTWOTWO2
-A KUBE-NODEPORTS -p tcp -m comment --comment "default/node:http" -m tcp --dport 30082 -j KUBE-EXT-NODENODENODENODE
-A KUBE-EXT-ONEONEONEONEONE1 -m comment --comment "masquerade traffic for default/one:http external destinations" -j KUBE-MARK-MASQ
-A KUBE-EXT-ONEONEONEONEONE1 -j KUBE-SVC-ONEONEONEONEONE1
-A KUBE-SVC-ONEONEONEONEONE1 -m comment --comment "default/one:http -> 10.244.0.5:8080" -j KUBE-SEP-ONEONEONEONEONE1
-A KUBE-SEP-ONEONEONEONEONE1 -s 10.244.0.5/32 -m comment --comment "default/one:http" -j KUBE-MARK-MASQ
-A KUBE-SEP-ONEONEONEONEONE1 -p tcp -m comment --comment "default/one:http" -m tcp -j DNAT --to-destination 10.244.0.5:8080
-A KUBE-EXT-TWOTWOTWOTWOTWO2 -m comment --comment "masquerade traffic for default/two:http external destinations" -j KUBE-MARK-MASQ
-A KUBE-EXT-TWOTWOTWOTWOTWO2 -j KUBE-SVC-TWOTWOTWOTWOTWO2
-A KUBE-SVC-TWOTWOTWOTWOTWO2 -m comment --comment "default/two:http -> 10.244.0.5:8080" -m statistic --mode random --probability 0.50000000000 -j KUBE-SEP-TWOTWOTWOTWOTWO1
-A KUBE-SVC-TWOTWOTWOTWOTWO2 -m comment --comment "default/two:http -> 192.0.2.1:9000" -j KUBE-SEP-TWOTWOTWOTWOTWO2
-A KUBE-SEP-TWOTWOTWOTWOTWO1 -p tcp -m comment --comment "default/two:http" -m tcp -j DNAT --to-destination 10.244.0.5:8080
-A KUBE-SEP-TWOTWOTWOTWOTWO2 -p tcp -m comment --comment "default/two:http" -m tcp -j DNAT --to-destination 192.0.2.1:9000
-A KUBE-EXT-NODENODENODENODE -m comment --comment "masquerade traffic for default/node:http external destinations" -j KUBE-MARK-MASQ
-A KUBE-EXT-NODENODENODENODE -j KUBE-SVC-NODENODENODENODE
-A KUBE-SVC-NODENODENODENODE ! -s 10.244.0.0/16 -d 10.96.0.1/32 -p tcp -m comment --comment "default/kubernetes:https cluster IP" -m tcp --dport 443 -j KUBE-MARK-MASQ
-A KUBE-SVC-NODENODENODENODE -m comment --comment "default/node:http -> 192.0.2.1:9000" -j KUBE-SEP-NODENODENODENODE
-A KUBE-SEP-NODENODENODENODE -s 192.0.2.1/32 -m comment --comment "default/node:http" -j KUBE-MARK-MASQ
-A KUBE-SEP-NODENODENODENODE -p tcp -m comment --comment "default/node:http" -m tcp -j DNAT --to-destination 192.0.2.1:9000
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0
-A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully
COMMIT
`;

const filter = `*filter
:KUBE-PROXY-FIREWALL - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-EXTERNAL-SERVICES - [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-FORWARD - [0:0]
:KUBE-FIREWALL - [0:0]
-A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL
-A INPUT -m comment --comment "kubernetes health check service ports" -j KUBE-NODEPORTS
-A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES
-A INPUT -j KUBE-FIREWALL
-A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL
-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
-A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES
-A OUTPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL
-A OUTPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A OUTPUT -j KUBE-FIREWALL
-A KUBE-EXTERNAL-SERVICES -p tcp -m comment --comment "default/none:http has no endpoints" -m addrtype --dst-type LOCAL -m tcp --dport 30083 -j REJECT --reject-with icmp-port-unreachable
-A KUBE-SERVICES -d 10.96.0.9/32 -p tcp -m comment --comment "default/none:http has no endpoints" -m tcp --dport 80 -j REJECT --reject-with icmp-port-unreachable
-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
-A KUBE-FORWARD -m comment --comment "kubernetes forwarding rules" -m mark --mark 0x4000/0x4000 -j ACCEPT
-A KUBE-FORWARD -m comment --comment "kubernetes forwarding conntrack rule" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m comment --comment "block incoming localnet connections" -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP
COMMIT
`;

export const kubeProxy: Scene = {
  name: 'kube-proxy',
  tools: [],
  host: {
    ...routed,
    interfaces: {
      ...routed.interfaces,
      cni0: {
        kind: 'bridge',
        addresses: ['10.244.0.1/24'],
        peers: { pod: { addresses: ['10.244.0.5/24'] } },
      },
    },
    sysctls: { 'net.ipv4.ip_forward': 1, 'net.ipv4.conf.all.route_localnet': 1 },
  },
  start: `iptables-restore --noflush <<'FILE'\n${nat}${filter}FILE\n`,
  serve(lab) {
    serveEverywhere(lab);
    lab.listen(both({ address: '0.0.0.0', port: 8080 }), 'pod');
  },
  flows: [
    ...everybody,
    ...[30080, 30081, 30082, 30083].flatMap((port) =>
      everyFlow(['neighbour', 'remote', 'host', 'pod'], [LAN4], port),
    ),
    ...everyFlow(['host', 'pod'], ['10.96.0.1'], 443),
    ...everyFlow(['pod'], ['10.96.0.9'], 80),
    ...everyFlow(['host'], ['127.0.0.1'], 30082),
  ],
};
