/** The rule sets in test/fixtures/nftables. */
export const RECORDINGS = ['expressions', 'sets', 'iptables'] as const;
