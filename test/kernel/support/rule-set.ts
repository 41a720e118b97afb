/** An nftables rule set with every family, a chain at most hooks, and tables with flags. */
export const RULE_SET = `
table inet filter {
  chain input { type filter hook input priority filter; policy drop; ct state established accept; jump services; iif lo accept; }
  chain forward { type filter hook forward priority 10; policy accept; }
  chain services { tcp dport 22 accept; udp dport 53 accept; counter drop; }
}
table ip nat {
  chain prerouting { type nat hook prerouting priority dstnat; tcp dport 80 redirect to :8080; }
  chain postrouting { type nat hook postrouting priority srcnat; policy accept; }
  chain output { type route hook output priority mangle; policy accept; }
}
table ip6 sleeping {
  flags dormant
  chain input { type filter hook input priority -300; policy drop; }
}
table arp watched {
  chain in { type filter hook input priority 0; policy accept; arp operation reply accept; }
  chain out { type filter hook output priority 0; policy accept; }
}
table bridge passing {
  chain forward { type filter hook forward priority 0; policy accept; }
}
table netdev edge {
  chain in { type filter hook ingress devices = { lan0, pair0 } priority -500; policy accept; ip saddr 192.0.2.66 drop; }
  chain one { type filter hook ingress device br0 priority 5; policy accept; }
  chain out { type filter hook egress device lan0 priority 0; policy accept; }
}
`;
