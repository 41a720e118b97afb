/** Reach or blocked entries of one interface taken together. */
export function byInterface<T extends { interface: string; peers: string[] }>(
  entries: readonly T[],
): { interface: string; peers: string[] }[] {
  const groups = new Map<string, string[]>();
  for (const entry of entries) {
    const peers = groups.get(entry.interface);
    // One peer list is often shared by many addresses of an interface.
    if (peers) for (const peer of entry.peers) peers.push(peer);
    else groups.set(entry.interface, [...entry.peers]);
  }
  return [...groups].map(([name, peers]) => ({ interface: name, peers: [...new Set(peers)] }));
}
