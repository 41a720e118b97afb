/** Rule sets in test/fixtures/nftables that have one of everything. */
export const VARIED = ['expressions', 'sets', 'iptables'] as const;

/**
 * Those of programs, recorded while they ran: firewalld 2.3, netavark 1.14 and libvirt 11.3 of
 * Debian 13, fail2ban 1.0 of Debian 12.
 */
export const OF_PROGRAMS = ['firewalld', 'netavark', 'libvirt', 'fail2ban'] as const;

export const RECORDINGS = [...VARIED, ...OF_PROGRAMS] as const;
