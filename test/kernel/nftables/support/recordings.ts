/**
 * The rule sets in test/fixtures/nftables. The last four were recorded while the programs that made
 * them ran: firewalld 2.3, netavark 1.14 and libvirt 11.3 of Debian 13, fail2ban 1.0 of Debian 12.
 */
export const RECORDINGS = [
  'expressions',
  'sets',
  'iptables',
  'firewalld',
  'netavark',
  'libvirt',
  'fail2ban',
] as const;
